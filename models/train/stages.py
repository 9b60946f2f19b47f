"""The stages of one study, from the split to the record, so that each can be killed and gone on with.

Each stage writes beside and renames: what is there is whole, and a stage whose result is there is not run again. What
the stages leave is described in study.py, which is the command.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

import data
import protocols
import runs
import train
from network import frames_for
from recipe import Config
from studies import PACKAGE_STUDIES, PROTOCOLS, Study, read_record

HERE = Path(__file__).parent
SOURCES = ("table.py", "protocols.py", "studies.py", "stages.py", "export.py")
CALIBRATION_EXCERPTS = 100  # per genre, of a split by excerpts


class StudyError(Exception):
    """A study cannot be run; the text says what is missing or what failed."""


class Busy(Exception):
    """Another process is at this study."""


class Studio:
    """Where everything is: the command line's arguments, and the splits made of the table."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.tracks = protocols.read_tracks(args.split) if args.split else []
        self._splits: dict[str, list[protocols.Row]] = {}

    def folder(self, study: Study) -> Path:
        """The study's folder among the runs."""
        return self.args.runs / study.name

    def split(self, study: Study) -> list[protocols.Row]:
        """The study's split, made of the table."""
        if study.split not in self._splits:
            self._splits.update(protocols.splits_of(study.split_protocol, self.tracks))
        return self._splits[study.split]

    def config(self, study: Study) -> Config:
        """The training's configuration."""
        told = PROTOCOLS[study.protocol].arguments_of(study.recipe)
        return train.parse(["--features", "-", "--run", "-", "--recipe", study.recipe, *told])[1]

    def training(self, study: Study) -> dict | None:
        """`training.json` as far as the study's training has come."""
        return read_json(self.folder(study) / "training" / "training.json")

    # What is there ------------------------------------------------------------------------------------------------

    def outdated(self, study: Study, record: dict) -> str | None:
        """Why a record is not of what is asked for today; `None` where it is."""
        if not study.trains:
            sha256 = shipped_sha256(self.args.package)
            return None if record["evaluation"]["package"]["sha256"] == sha256 else "of another model"
        return difference(record["training"], self.config(study))

    def done(self, study: Study) -> bool:
        """Whether the study's record is there and of what is asked for."""
        record = read_record(self.args.records, study)
        return record is not None and self.outdated(study, record) is None

    # Stages -------------------------------------------------------------------------------------------------------

    def run(self, study: Study) -> None:
        """All stages that are missing, then the record."""
        folder = self.folder(study)
        folder.mkdir(parents=True, exist_ok=True)
        with at_work(folder) as lock:
            if self.done(study):
                return
            split = protocols.to_csv(self.split(study))
            write(folder / "split.csv", split)
            if study.trains:
                self.train(study, lock)
                self.export(study, lock)
                self.quantize(study, lock)
                package = folder / "package"
                arguments = ("--audio", "{audio}", "--part", "test", "--compare", "float")
            else:
                # Another model may have been shipped since.
                (folder / "evaluation.json").unlink(missing_ok=True)
                package, arguments = self.args.package, PACKAGE_STUDIES[study.protocol]
            self.evaluate(study, package, arguments, lock)
            self.record(study, package, split)

    def train(self, study: Study, lock: int) -> None:
        """Trains, or goes on training; what was made of another state of the training goes away."""
        folder, config, training = self.folder(study), self.config(study), self.training(study)
        if training:
            changed = difference(training, config)
            if changed:
                raise StudyError(f"{folder}: {changed}; delete this folder to start the study over")
            if finished(training):
                return
        for made in ("float.onnx", "evaluation.json"):
            (folder / made).unlink(missing_ok=True)
        shutil.rmtree(folder / "package", ignore_errors=True)
        call = [sys.executable, HERE / "train.py", "--features", self.args.features, "--split", folder / "split.csv"]
        call += ["--split-column", "part", "--run", folder / "training", "--recipe", study.recipe]
        call += [*PROTOCOLS[study.protocol].arguments_of(study.recipe), "--threads", self.args.threads]
        if study.recipe == "shipped":  # the paper's network has heard nothing but recorded music
            call += ["--begin-with", self.args.listener, "--heard", self.args.heard]
            call += ["--not-music", self.args.not_music, "--rooms", *self.args.rooms]
        execute(call, lock)
        if not finished(self.training(study)):
            raise StudyError(f"{folder}: train.py ended without finishing the training")

    def export(self, study: Study, lock: int) -> None:
        """The float graph."""
        folder = self.folder(study)
        if not (folder / "float.onnx").is_file():
            call = [sys.executable, HERE / "export.py", "--run", folder / "training", "--out", folder / "float.onnx"]
            execute(call, lock)

    def quantize(self, study: Study, lock: int) -> None:
        """The package with the int8 graph; whatever agreement it has is measured, not refused."""
        folder = self.folder(study)
        package, partial = folder / "package", folder / "package.partial"
        if package.is_dir():
            return
        shutil.rmtree(partial, ignore_errors=True)
        features, split = self.args.features, folder / "split.csv"
        if study.by_excerpts:
            features = folder / "excerpts"
            shutil.rmtree(features, ignore_errors=True)
            split = excerpts_as_tracks(self.args.features, self.split(study), self.config(study), features)
        call = [self.args.quantize, "--float", folder / "float.onnx", "--features", features, "--split", split]
        call += ["--split-column", "part", "--training", folder / "training" / "training.json"]
        call += ["--min-agreement", "0", "--name", study.name, "--out", partial]
        execute(call, lock)
        shutil.rmtree(folder / "excerpts", ignore_errors=True)
        partial.rename(package)

    def evaluate(self, study: Study, package: Path, arguments: tuple[str, ...], lock: int) -> None:
        """The test part through the form of the model that a device runs: native where there is one."""
        folder = self.folder(study)
        out = folder / "evaluation.json"
        if out.is_file():
            return
        partial = folder / "evaluation.json.partial"
        places = {"audio": self.args.audio, "lossless": self.args.lossless}
        call = [self.args.harmonynet, "evaluate", "--model", package, *(text.format(**places) for text in arguments)]
        call += ["--split", folder / "split.csv", "--split-column", "part"] if "--audio" in arguments else []
        execute([*call, "--json", partial, "--jobs", self.args.threads], lock)
        kinds = [entry["kind"] for entry in read_json(partial).get("not_music", {}).get("kinds", [])]
        if kinds and "speech" not in kinds:
            raise StudyError("no speech was heard: espeak-ng is missing on this machine")
        partial.replace(out)

    def record(self, study: Study, package: Path, split: str) -> None:
        """The committed record."""
        record = {
            "protocol": study.protocol,
            "recipe": study.recipe,
            "fold": study.fold,
            "split": {"sha256": hashlib.sha256(split.encode()).hexdigest(), "seed": protocols.SEED},
            "code": {"sha256": code_hash()},
            "training": self.training(study) if study.trains else read_json(package / "training.json"),
            "evaluation": read_json(self.folder(study) / "evaluation.json"),
        }
        names_a_path(record)
        self.args.records.mkdir(parents=True, exist_ok=True)
        write(self.args.records / f"{study.name}.json", json.dumps(record, indent=1) + "\n")


def code_hash() -> str:
    """SHA-256 of the sources that decide splits and stages; the training's are hashed in its own record."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(name.encode() + b"\0" + (HERE / name).read_bytes() + b"\0")
    return digest.hexdigest()


def finished(training: dict | None) -> bool:
    """Whether there is a training, by its record, and nothing of it is missing."""
    return training is not None and training["result"]["finished"]


def difference(training: dict, config: Config) -> str | None:
    """The first field in which a training's configuration is not the wanted one."""
    return runs.difference(training, {"configuration": asdict(config)}, ("configuration",))


def shipped_sha256(package: Path) -> str:
    """SHA-256 of the shipped model in the form that a device runs, by the manifest."""
    try:
        graphs = tomllib.loads((package / "manifest.toml").read_text(encoding="utf-8"))["graphs"]
        return (graphs.get("native") or graphs["int8"])["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(f"{package / 'manifest.toml'}: {error!r}") from None


def excerpts_as_tracks(features: Path, rows: list[protocols.Row], config: Config, out: Path) -> Path:
    """Features for the quantizer, which knows parts of tracks only: every validation excerpt, and enough training
    excerpts to calibrate on, each as a track of its own. Returns their split file."""
    frames, hop = frames_for(config.steps), data.read_frontend(features).evaluation_hop
    chosen: dict[tuple[str, str], int] = {}
    lines = ["track,genre,part"]
    # A walk in steps that share no factor with the excerpts of a track takes some of every track.
    for row in (rows[place * 7919 % len(rows)] for place in range(len(rows))):
        key = (row.track.genre, row.part)
        chosen[key] = chosen.get(key, 0) + 1
        if row.part == "test" or (row.part == "train" and chosen[key] > CALIBRATION_EXCERPTS):
            continue
        name, first = f"{row.track.name}-{row.excerpt}", (row.excerpt or 0) * hop
        (out / row.track.genre).mkdir(parents=True, exist_ok=True)
        whole = np.load(features / row.track.genre / f"{row.track.name}.npy", mmap_mode="r")
        np.save(out / row.track.genre / f"{name}.npy", whole[first : first + frames])
        lines.append(f"{name},{row.track.genre},{row.part}")
    shutil.copyfile(features / "frontend.json", out / "frontend.json")
    write(out / "split.csv", "\n".join(lines) + "\n")
    return out / "split.csv"


def names_a_path(value: object, where: str = "record") -> None:
    """Refuses a record that names a path of the machine."""
    if isinstance(value, dict):
        for key, inner in value.items():
            names_a_path(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            names_a_path(inner, f"{where}[{index}]")
    elif isinstance(value, str) and (value.startswith(("/", "~", "./", "../")) or str(Path.home()) in value):
        raise StudyError(f"{where} names a path of this machine: {value}")


def read_json(path: Path) -> dict | None:
    """A JSON file; `None` where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write(path: Path, text: str) -> None:
    """Writes beside and renames."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextmanager
def at_work(folder: Path) -> Iterator[int]:
    """Holds the study's lock. Children inherit it: one that outlives a killed call keeps others away."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    except BlockingIOError:
        raise Busy from None
    finally:
        os.close(lock)


def execute(call: list[object], lock: int) -> None:
    """Runs a stage's program, which must succeed."""
    words = [str(word) for word in call]
    print("$ " + " ".join(words), flush=True)
    try:
        status = subprocess.run(words, pass_fds=(lock,)).returncode
    except OSError as error:
        raise StudyError(f"{words[0]}: {error.strerror}") from None
    if status != 0:
        raise StudyError(f"{Path(words[0]).name} ended with status {status}")
