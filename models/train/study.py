"""Runs the measurements of the model card, from the split to the record; run it again to go on.

    <runs>/<study>/split.csv         who is trained on, validated, tested
    <runs>/<study>/training/         train.py's run folder
    <runs>/<study>/float.onnx        export.py's graph
    <runs>/<study>/package/          what `quantize` makes of it
    <runs>/<study>/evaluation.json   what `harmonynet evaluate` says of the test part, through the int8 path
    models/train/records/<study>.json   the record: configuration, hashes, seed, training result, evaluation

Each stage writes beside and renames, so that a call that was killed at any moment leaves whole files only; the next one
goes on with the first stage that is missing, and with a training after its last finished epoch. Two calls may share the
work: a study that another process is at is left to it. A record holds aggregates and no path of the machine.

    python models/train/study.py list --split gtzan.csv --runs runs
    python models/train/study.py run p2-track --recipe paper --fold 3 --split gtzan.csv --features features \\
        --audio gtzan-mp3 --runs runs
    python models/train/study.py run all --split gtzan.csv --features features --audio gtzan-mp3 \\
        --lossless gtzan-lossless --runs runs
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

import protocols
import train
from network import FRAMES_PER_STEP, frames_for
from studies import PACKAGE_STUDIES, PROTOCOLS, RecordError, Study, all_studies, of_protocol, read_record

HERE = Path(__file__).parent
SOURCES = ("protocols.py", "studies.py", "study.py", "export.py")
PACE = 0.0145  # seconds per window of 166 frames: the shipped recipe on four cores that other work shared
STALE_EPOCHS = 25  # a guess of when a training stops early, until one has
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

    def config(self, study: Study) -> train.Config:
        """The training's configuration."""
        arguments = ["--features", "-", "--run", "-", "--recipe", study.recipe, *PROTOCOLS[study.protocol].arguments]
        return train.parse(arguments)[1]

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

    def windows(self, study: Study, config: train.Config) -> int:
        """About how many windows an epoch trains on, of the front-end's shipped hop and tracks of 30 s."""
        rows = [row for row in self.split(study) if row.part == "train"]
        if config.windows == "random":
            return len(rows) * config.windows_per_track
        grid = config.grid or 11 * FRAMES_PER_STEP
        return len(rows) * (1 if study.by_excerpts else (1290 - frames_for(config.steps)) // grid + 1)

    def seconds_left(self, study: Study, pace: dict[str, tuple[float, float]]) -> float:
        """An estimate of the training that is left, from what finished ones of the recipe took."""
        if not study.trains or not self.tracks:
            return 0.0
        config, training = self.config(study), self.training(study)
        result = training["result"] if training else {"epochs": 0, "finished": False}
        per_window, epochs = pace.get(study.recipe, (PACE, STALE_EPOCHS if config.patience else config.epochs))
        left = 0 if result["finished"] else max(1, min(epochs, config.epochs) - result["epochs"])
        return left * per_window * self.windows(study, config) * frames_for(config.steps) / frames_for(19)

    def pace(self) -> dict[str, tuple[float, float]]:
        """Per recipe, of finished trainings: seconds per window of 166 frames, and epochs."""
        found: dict[str, list[tuple[float, float]]] = {}
        for study in (study for study in all_studies() if study.trains and self.tracks):
            record = read_record(self.args.records, study)
            training = record["training"] if record else self.training(study)
            if training and training["result"]["finished"]:
                config, result = self.config(study), training["result"]
                frames = self.windows(study, config) * frames_for(config.steps) / frames_for(19)
                found.setdefault(study.recipe, []).append(
                    (result["seconds"] / (result["epochs"] * frames), result["epochs"])
                )
        return {recipe: tuple(np.mean(values, axis=0).tolist()) for recipe, values in found.items()}

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
            if training["result"]["finished"]:
                return
        for made in ("float.onnx", "evaluation.json"):
            (folder / made).unlink(missing_ok=True)
        shutil.rmtree(folder / "package", ignore_errors=True)
        call = [sys.executable, HERE / "train.py", "--features", self.args.features, "--split", folder / "split.csv"]
        call += ["--split-column", "part", "--run", folder / "training", "--recipe", study.recipe]
        call += [*PROTOCOLS[study.protocol].arguments, "--threads", self.args.threads]
        execute(call, lock)
        if not (self.training(study) or {"result": {"finished": False}})["result"]["finished"]:
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
        """The test part through the int8 path."""
        folder = self.folder(study)
        out = folder / "evaluation.json"
        if out.is_file():
            return
        partial = folder / "evaluation.json.partial"
        places = {"audio": self.args.audio, "lossless": self.args.lossless}
        call = [self.args.harmonynet, "evaluate", "--model", package, "--split", folder / "split.csv"]
        call += ["--split-column", "part", *(text.format(**places) for text in arguments), "--json", partial]
        execute([*call, "--jobs", self.args.threads], lock)
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


def difference(training: dict, config: train.Config) -> str | None:
    """The first field in which a training's configuration is not the wanted one."""
    for field, value in asdict(config).items():
        if training["configuration"].get(field) != value:
            return f"configuration.{field} was {training['configuration'].get(field)!r} and is now {value!r}"
    return None


def shipped_sha256(package: Path) -> str:
    """SHA-256 of the shipped int8 graph, by the manifest."""
    try:
        return tomllib.loads((package / "manifest.toml").read_text(encoding="utf-8"))["graphs"]["int8"]["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(f"{package / 'manifest.toml'}: {error!r}") from None


def excerpts_as_tracks(features: Path, rows: list[protocols.Row], config: train.Config, out: Path) -> Path:
    """Features for the quantizer, which knows parts of tracks only: every validation excerpt, and enough training
    excerpts to calibrate on, each as a track of its own. Returns their split file."""
    frames, hop = frames_for(config.steps), train.data.read_frontend(features).evaluation_hop
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


def minutes(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"


def show(studio: Studio, studies: list[Study]) -> None:
    """One line per study: done and with what result, begun, or missing."""
    pace, total, width = studio.pace(), 0.0, max(len(study.name) for study in studies)
    for study in studies:
        record, left = read_record(studio.args.records, study), studio.seconds_left(study, pace)
        training = studio.training(study) if study.trains and studio.args.runs else None
        outdated = studio.outdated(study, record) if record else None
        if record and not outdated:
            excerpt, track = (record["evaluation"][kind]["accuracy"] for kind in ("excerpt", "track"))
            state = f"done: excerpt {excerpt:.3f}, track {track:.3f}"
            if study.trains and record["training"]["code"]["sha256"] != train.code_hash():
                state += " (trained by an earlier state of the code)"
        else:
            total += left
            state = f"outdated: {outdated}" if outdated else "missing"
            state += f", training finished epoch {training['result']['epochs']}" if training else ""
            state += f", about {minutes(left)} of training" if left else ""
        print(f"{study.name:{width}}  {state}")
    print(f"left to train: about {minutes(total)}" if total else "nothing is left to train")


def run_all(studio: Studio, studies: list[Study]) -> list[str]:
    """Runs what is missing; returns what failed, with the reason. A failure doesn't keep the others from running."""
    failed = []
    for study in studies:
        if not study.trains and study.protocol == "lossless" and not studio.args.lossless:
            print(f"{study.name}: skipped, needs --lossless", flush=True)
            continue
        try:
            if studio.done(study):
                print(f"{study.name}: done", flush=True)
                continue
            left = studio.seconds_left(study, studio.pace())
            print(f"{study.name}: about {minutes(left)} of training left", flush=True)
            studio.run(study)
        except Busy:
            print(f"{study.name}: another process is at it", flush=True)
        except StudyError as error:
            print(f"{study.name}: {error}", flush=True)
            failed.append(f"{study.name}: {error}")
    return failed


def chosen_studies(args: argparse.Namespace) -> list[Study]:
    """What the command line names."""
    every = all_studies()
    studies = [study for study in every if args.name in ("all", study.protocol)]
    studies = [study for study in studies if args.recipe in (None, study.recipe) and args.fold in (None, study.fold)]
    if not studies:
        raise StudyError("no such study; `study.py list` names them: protocol, recipe and fold")
    return studies


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the measurements of the model card. Run it again to go on.")
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--runs", type=Path, required=True, metavar="DIR", help="scratch folder of all studies")
    common.add_argument("--records", type=Path, default=HERE / "records", metavar="DIR", help="where records go")
    common.add_argument(
        "--package", type=Path, default=HERE.parent / "harmonynet", metavar="DIR", help="the shipped package"
    )
    commands.add_parser("list", parents=[common], help="what is done and what is missing").add_argument(
        "--split", type=Path, metavar="CSV", help="the table of tracks; with it, times are estimated"
    )
    run = commands.add_parser("run", parents=[common], help="run one protocol's studies, or all")
    run.add_argument("name", choices=["all", *dict.fromkeys(study.protocol for study in all_studies())])
    run.add_argument("--recipe", choices=train.RECIPES, help="only with this recipe")
    run.add_argument("--fold", type=int, metavar="K", help="only this fold")
    run.add_argument("--split", type=Path, required=True, metavar="CSV", help="the table of tracks")
    run.add_argument("--features", type=Path, required=True, metavar="DIR", help="features of all tracks")
    run.add_argument("--audio", type=Path, required=True, metavar="DIR", help="recordings of all tracks")
    run.add_argument("--lossless", type=Path, metavar="DIR", help="lossless recordings of some")
    target = HERE.parent.parent / "target" / "release"
    for program in ("harmonynet", "quantize"):
        run.add_argument(
            f"--{program}", type=Path, default=target / program, metavar="FILE", help="the program, built for release"
        )
    run.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N", help="processor threads")
    return parser.parse_args(arguments)


def main() -> None:
    args = parse()
    try:
        studio = Studio(args)
        if args.command == "list":
            return show(studio, all_studies())
        failed = run_all(studio, chosen_studies(args))
    except (StudyError, RecordError, protocols.ProtocolError, train.data.DataError) as error:
        sys.exit(f"study: {error}")
    except KeyboardInterrupt:
        sys.exit("study: interrupted; run the same command to go on")
    if failed:
        sys.exit("study: failed:\n  " + "\n  ".join(failed))


if __name__ == "__main__":
    main()
