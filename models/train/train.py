"""Trains the network on features that the front-end wrote: features in, one run folder out.

    runs/<name>/training.json   configuration, front-end, hashes of data and code, figures (validation only)
    runs/<name>/log.jsonl       one line per epoch
    runs/<name>/split.csv       who was trained on, where no split was given
    runs/<name>/best.pt         the averaged network of the best epoch: what export.py and evaluate.py read
    runs/<name>/last.pt         everything needed to go on after an interruption
    runs/<name>/beginning/      the same of the network that a student begins as, which is trained first
    runs/<name>/teacher-1-…     the same of every teacher
    runs/<name>/opinions.pt     the teachers' mean probabilities of every window

Started again with the same configuration, a run goes on after its last finished epoch and ends as if it had never been
interrupted: every epoch seeds its own random numbers. The test part of the split is never read here.

The best epoch is the one with the largest mean of excerpt and track accuracy on the validation part, measured with the
exponential moving average of the weights.

Teachers are networks of other kinds (teachers.py), trained on the same part of the split, but without rooms. They are
asked once about every window as it was recorded. The student begins as the network that the paper's recipe makes; it
hears those windows as a device in a room would, and most of its target is the mean of its teachers' opinions. With --heard
it learns besides what a network hears in them that knows more music (heard.py).
"""

from __future__ import annotations

import os

# Sleep instead of spinning at OpenMP's barriers: beside other work, spinning costs several times as much.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import copy
import hashlib
import json
import math
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import augment
import data
import heard
import teachers
from evaluate import add_data_arguments, figures, fit_temperature, window_log_probabilities
from network import (
    HOP,
    LSTM_UNITS,
    NORMALIZATIONS,
    READOUTS,
    WINDOW_STEPS,
    HarmonyNet,
    frames_for,
    parameter_count,
    steps_for,
)

SHOWN_ARTISTS = 5
ASKED_AT_ONCE = 64  # windows
IN_ROOMS_SHARE = 0.7  # of a student's windows, where there are takes in rooms
LESSON_RATE = 1.5e-3  # the teachers' largest learning rate, whatever the student's is
NOT_MUSIC_SHARE = 0.15  # windows that aren't music, as a share of those that are
SOURCES = ("network.py", "teachers.py", "table.py", "data.py", "augment.py", "heard.py", "evaluate.py", "train.py")


@dataclass(frozen=True)
class Config:
    """Everything that decides the weights, besides data and code."""

    network: str = "harmonynet"
    teachers: str = "statistics,pooled,pooled,coarse"
    teaching: float = 0.8
    imitation: float = 0.5
    spacing: int = 22
    lessons: str = "colour"
    lesson_epochs: int = 16
    epochs: int = 9
    steps: int = WINDOW_STEPS
    windows: str = "random"
    windows_per_track: int = 14
    grid: int = 0
    batch: int = 32
    rate: float = 1.5e-3
    schedule: str = "cosine"
    weight_decay: float = 0.02
    dropout: float = 0.15
    smoothing: float = 0.1
    average: float = 0.998
    patience: int = 0
    augmentation: str = "rooms"
    readout: str = "mean"
    normalize: str = "none"
    precision: str = "bfloat16"
    seed: int = 1


PAPER = Config(
    epochs=60, rate=1e-3, schedule="constant", weight_decay=0.0, smoothing=0.0, average=0.0, patience=8,
    augmentation="none", readout="last", windows="grid", dropout=0.3, teachers="",
)  # fmt: skip
# Windows, target distributions, lessons: the teachers' opinions, and behind them what was heard.
Batch = tuple[Tensor, Tensor, Tensor | None]
TEACHERS = ("statistics", "pooled", "coarse")
STUDENTS = ("teaching", "imitation", "spacing", "readout")  # fields that make no difference to a teacher
RECIPES = {"shipped": Config(), "paper": PAPER}


class TrainError(Exception):
    """The run cannot be started or continued."""


def ahead(items: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each made while the one before it is trained on."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


class Averaged:
    """Exponential moving average of a network's weights and batch-norm statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """One step of the average; the first steps count more, so that it doesn't start from random weights."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def weights_hash(networks: Sequence[nn.Module]) -> str:
    """SHA-256 of networks' weights."""
    digest = hashlib.sha256()
    for network in networks:
        for name, value in network.state_dict().items():
            digest.update(name.encode() + b"\0" + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def code_hash() -> str:
    """SHA-256 of the recipe's source files."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()


def disturbances(config: Config, spec: dict) -> augment.Augmentation:
    """The chosen preset, for windows of the run's length and for the front-end's hop."""
    preset = augment.PRESETS[config.augmentation]
    return replace(preset, window=frames_for(config.steps), hop_seconds=spec["hop"] / spec["rate_hz"])


def network_for(config: Config, labels: int, hop: int) -> nn.Module:
    """The network that a configuration names, for features of that hop."""
    stride = max(1, round(teachers.HOP / hop))
    if config.network == "statistics":
        return teachers.Statistics(labels, stride)
    if config.network == "pooled":
        return teachers.Pooled(labels, stride, config.dropout)
    if config.network == "coarse":
        return teachers.Coarse(labels, stride, config.dropout)
    model = HarmonyNet(labels, config.readout, config.dropout, config.normalize, config.steps)
    model.blocks.to(memory_format=torch.channels_last)
    return model


def teacher_configs(config: Config) -> dict[str, Config]:
    """The teachers' own configurations, by the names of their run folders. What is a student's alone changes none."""
    names = [name for name in config.teachers.split(",") if name]
    unknown = sorted(set(names) - set(TEACHERS))
    if unknown:
        raise TrainError(f"no such teacher: {', '.join(unknown)}; there are {', '.join(TEACHERS)}")
    common = replace(config, **{name: getattr(Config, name) for name in STUDENTS})
    return {
        f"teacher-{number}-{name}": replace(
            common,
            network=name,
            teachers="",
            augmentation=config.lessons,
            epochs=config.lesson_epochs,
            rate=LESSON_RATE,
            seed=1000 * config.seed + number,
        )
        for number, name in enumerate(names, 1)
    }


def beginning_config(config: Config) -> Config:
    """Of the network that a student begins as: the paper's recipe, for the same windows. A mean over the LSTM's outputs
    is read out of a network that was trained to read the last."""
    same = ("steps", "windows_per_track", "normalize", "precision", "seed")
    readout = config.readout if config.readout == "none" else PAPER.readout
    return replace(PAPER, readout=readout, **{name: getattr(config, name) for name in same})


def grid_spacing(config: Config, part: data.Part, student: bool) -> int:
    """Frames from one training window to the next, where they lie on a grid."""
    if part.excerpts is not None:
        return part.windows.hop
    return (config.spacing if student else config.grid) or part.windows.hop


def rate_at(config: Config, progress: float) -> float:
    """Learning rate at a share of the whole run: linear warm-up over 4 %, then a half cosine down to 1 %."""
    if config.schedule == "constant":
        return config.rate
    warm = min(1.0, progress / 0.04 + 0.02)
    return config.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def optimizer_for(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """AdamW; weights decay, biases and batch norms don't. Without decay it is Adam."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.rate)


def soft_cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy to target distributions [N, labels] with label smoothing."""
    targets = targets * (1 - smoothing) + smoothing / targets.shape[1]
    return -(targets * torch.log_softmax(logits, 1)).sum(1).mean()


@dataclass
class Parts:
    """What a run reads: windows to train on and to be judged by, features of what isn't music, the front-end; and the
    features of the training tracks in rooms, one list of them per take; and what was heard in windows to train on."""

    train: data.Part
    valid: data.Part
    not_music: data.Part | None
    spec: dict
    rooms: list[data.Part] = field(default_factory=list)
    heard: Tensor | None = None


class Trainer:
    """One run: network, average, optimizer and what they have reached."""

    def __init__(
        self, config: Config, parts: Parts, labels: list[str], run: Path, taught: Sequence[nn.Module] = ()
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.labels, self.run = config, labels, run
        self.train, self.valid, self.not_music, self.rooms = parts.train, parts.valid, parts.not_music, parts.rooms
        self.model = network_for(config, len(labels), parts.spec["hop"])
        self.averaged = Averaged(self.model, config.average)
        # Tells what was heard from the student's summary; it is left behind.
        self.imitator = nn.Linear(LSTM_UNITS, heard.COMPONENTS) if taught and parts.heard is not None else None
        trained = nn.ModuleList([self.model] if self.imitator is None else [self.model, self.imitator])
        self.optimizer = optimizer_for(trained, config)
        self.augmentation = disturbances(config, parts.spec)
        self.precision = getattr(torch, config.precision)
        spacing = grid_spacing(config, self.train, bool(taught))
        self.grid = data.grid_windows(self.train, spacing) if taught or config.windows == "grid" else None
        self.lessons = self.ask(taught) if taught else None
        if self.imitator:
            targets = torch.from_numpy(self.train.targets[self.grid[0]])
            both = (self.lessons + heard.opinions(parts.heard, targets, len(labels))) / 2
            self.lessons = torch.cat([both, heard.components(parts.heard)], 1)
        windows = len(self.train.tracks) * config.windows_per_track if self.grid is None else len(self.grid[0])
        self.steps = math.ceil(windows / config.batch)
        self.epoch = 0
        self.best: dict | None = None
        self.seconds = 0.0

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """The epoch's windows in random order, disturbed: of every track equally many at random positions, or the grid
        once; what they are, and what the teachers think."""
        taught = None
        if self.grid is None:
            tracks = rng.permutation(np.repeat(np.arange(len(self.train.tracks)), self.config.windows_per_track))
        else:
            order = rng.permutation(len(self.grid[0]))
            tracks, starts = self.grid[0][order], self.grid[1][order]
        frames = self.augmentation.frames
        for first in range(0, len(tracks), self.config.batch):
            chosen = tracks[first : first + self.config.batch]
            if self.grid is None:
                room = np.array([max(0, len(self.train.features[t]) - frames) for t in chosen])
                start = rng.integers(0, room + 1)
            else:
                start = starts[first : first + self.config.batch]
            x = torch.from_numpy(data.cut(self.train, chosen, start, frames))
            x = self.in_rooms(x, chosen, start, rng) if self.rooms else x
            targets = torch.eye(len(self.labels))[self.train.targets[chosen]]
            if self.lessons is not None:
                # Side by side, so that both are mixed alike.
                targets = torch.cat([targets, self.lessons[order[first : first + self.config.batch]]], 1)
            x, targets = augment.mix(x, targets, self.augmentation, rng)
            if self.not_music:
                other, even = self.what_is_not_music(len(x), targets.shape[1], rng)
                x, targets = torch.cat([x, other]), torch.cat([targets, even])
            if self.lessons is not None:
                targets, taught = targets.tensor_split([len(self.labels)], 1)
            yield augment.disturb(x, self.augmentation, rng), targets, taught

    def in_rooms(self, x: Tensor, track: np.ndarray, start: np.ndarray, rng: np.random.Generator) -> Tensor:
        """The same windows, most of them from a take in a room."""
        takes = rng.integers(0, len(self.rooms), len(x))
        takes[rng.random(len(x)) >= IN_ROOMS_SHARE] = -1
        heard = x.clone()
        for take, part in enumerate(self.rooms):
            mine = np.flatnonzero(takes == take)
            heard[mine] = torch.from_numpy(data.cut(part, track[mine], start[mine], x.shape[1]))
        return heard

    def what_is_not_music(self, music: int, columns: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Some windows of what isn't music beside so many that are; every label is equally true, and no teacher knows
        better; what was heard nobody knows. Never mixed."""
        settings = replace(self.augmentation, mixup=0.0)
        chosen = rng.integers(0, len(self.not_music.features), math.ceil(music * NOT_MUSIC_SHARE))
        room = np.array([max(0, len(self.not_music.features[i]) - settings.frames) for i in chosen])
        other = torch.from_numpy(data.cut(self.not_music, chosen, rng.integers(0, room + 1), settings.frames))
        even = torch.full((len(chosen), columns), 1 / len(self.labels))
        even[:, 2 * len(self.labels) :] = torch.nan
        return augment.mix(other, even, settings, rng)

    @torch.no_grad()
    def ask(self, taught: Sequence[nn.Module]) -> Tensor:
        """The teachers' mean probabilities of every window of the grid as it was recorded, [windows, labels]; kept in
        the run's folder, with a hash of who was asked about what."""
        tracks, starts = self.grid
        path, asked = self.run / "opinions.pt", weights_hash(taught) + hashlib.sha256(tracks + starts).hexdigest()
        if path.is_file():
            kept = torch.load(path, map_location="cpu", weights_only=True)
            if kept["asked"] == asked:
                return kept["opinions"]
        opinions, shown = [], time.monotonic()
        for first in range(0, len(tracks), ASKED_AT_ONCE):
            chosen = slice(first, first + ASKED_AT_ONCE)
            x = torch.from_numpy(data.cut(self.train, tracks[chosen], starts[chosen], frames_for(self.config.steps)))
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == torch.bfloat16):
                each = [torch.softmax(teacher(x).float(), 1) for teacher in taught]
            opinions.append(torch.stack(each).mean(0))
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"  teachers asked about {first + len(x)} of {len(tracks)} windows", flush=True)
        _replace(path, {"asked": asked, "opinions": torch.cat(opinions)})
        return torch.cat(opinions)

    def run_epoch(self) -> float:
        """One epoch; returns its mean training loss."""
        rng = np.random.default_rng((self.config.seed, self.epoch))
        torch.manual_seed(self.config.seed * 100_003 + self.epoch)  # dropout
        self.model.train()
        total, begin, shown = 0.0, time.monotonic(), time.monotonic()
        for step, (x, targets, taught) in enumerate(ahead(self.batches(rng))):
            rate = rate_at(self.config, (self.epoch + step / self.steps) / self.config.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == torch.bfloat16):
                summary = self.model.summary(x) if self.imitator else None
                logits = self.model.logits(summary) if self.imitator else self.model(x)
            loss = soft_cross_entropy(logits.float(), targets, self.config.smoothing)
            if taught is not None:
                opinions, told = taught.tensor_split([len(self.labels)], 1)
                loss = torch.lerp(loss, soft_cross_entropy(logits.float(), opinions, 0.0), self.config.teaching)
                if self.imitator:
                    known = told.isfinite().all(1)
                    wrong = (self.imitator(summary[known].float()) - told[known]).square().mean()
                    loss = loss + self.config.imitation * wrong
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self.averaged.update(self.model)
            total += loss.item()
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                pace = (shown - begin) / (step + 1)
                left = pace * (self.steps * (self.config.epochs - self.epoch) - step - 1)
                print(f"  step {step + 1}/{self.steps}, {pace * 1000:.0f} ms, {left / 60:.0f} min left", flush=True)
        return total / self.steps

    def validate(self) -> dict[str, float]:
        """Validation figures of the averaged weights."""
        log_probabilities, tracks = window_log_probabilities(self.averaged.model, self.valid, self.precision)
        return figures(log_probabilities, tracks, self.valid.targets)

    def finish_epoch(self, loss: float, valid: dict[str, float], seconds: float) -> None:
        """Keeps the best weights, writes the log line and the checkpoint."""
        self.seconds += seconds
        self.epoch += 1
        score = (valid["excerpt"] + valid["track"]) / 2
        if self.best is None or score > self.best["score"]:
            self.best = {"epoch": self.epoch, "score": score, **valid}
            best = {
                "model": self.averaged.model.state_dict(),
                "labels": self.labels,
                "readout": self.config.readout,
                "normalize": self.config.normalize,
                "steps": self.config.steps,
                "network": self.config.network,
            }
            _replace(self.run / "best.pt", best)
        checkpoint = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.model.state_dict(),
            "imitator": self.imitator.state_dict() if self.imitator else None,
            "updates": self.averaged.updates,
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "seconds": self.seconds,
        }
        _replace(self.run / "last.pt", checkpoint)
        measured = {f"valid_{name}": value for name, value in valid.items()}
        line = {"epoch": self.epoch, "train_loss": loss, **measured, "seconds": seconds}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        left = self.seconds / self.epoch * (self.config.epochs - self.epoch) / 60
        print(
            f"epoch {self.epoch}/{self.config.epochs}: training loss {loss:.3f}, validation loss {valid['loss']:.3f}, "
            f"excerpt {valid['excerpt']:.3f}, track {valid['track']:.3f}, best {self.best['score']:.3f} "
            f"(epoch {self.best['epoch']}), {seconds:.0f} s, {left:.0f} min left",
            flush=True,
        )

    def begin_as(self, network: nn.Module) -> None:
        """Starts from another network's weights instead of random ones."""
        self.model.load_state_dict(network.state_dict())
        self.averaged.model.load_state_dict(network.state_dict())

    def resume(self) -> None:
        """Takes up the run's last finished epoch, if there is one."""
        path = self.run / "last.pt"
        if not path.is_file():
            return
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.averaged.model.load_state_dict(saved["averaged"])
        self.averaged.updates = saved["updates"]
        if self.imitator:
            self.imitator.load_state_dict(saved["imitator"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.epoch, self.best, self.seconds = saved["epoch"], saved["best"], saved["seconds"]
        # An epoch that was logged but not checkpointed will be run again.
        log = self.run / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines()[: self.epoch] if log.is_file() else []
        log.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        print(f"{self.run}: going on after epoch {self.epoch}", flush=True)

    @property
    def finished(self) -> bool:
        """All epochs done, or no improvement for `patience` epochs."""
        stale = self.best is not None and 0 < self.config.patience <= self.epoch - self.best["epoch"]
        return stale or self.epoch >= self.config.epochs


def _replace(path: Path, content: dict) -> None:
    """Writes beside and renames: an interruption leaves the old file or the new one."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


def difference(old: dict, record: dict, sections: tuple[str, ...]) -> str | None:
    """The first thing in which two runs' records differ; `None` where there is none. A field of the configuration that
    an earlier run doesn't know was as it is unless it's changed."""
    known = {**old, "configuration": {**asdict(Config()), **old["configuration"]}}
    for section in sections:
        for field, value in record[section].items():
            if known[section].get(field) != value:
                return f"{section}.{field} was {known[section].get(field)!r} and is now {value!r}"
    return None


def check_same(run: Path, record: dict) -> None:
    """Refuses to continue a run with another configuration, data, front-end or code."""
    path = run / "training.json"
    if not path.is_file():
        return
    old = json.loads(path.read_text(encoding="utf-8"))
    if found := difference(old, record, ("configuration", "frontend", "data", "code")):
        raise TrainError(f"{run}: {found}; choose another --run folder, or delete this one to start over")


def finished_record(run: Path) -> dict:
    """The record of a run that is to be used; refuses one that isn't finished."""
    path = run / "training.json"
    if not path.is_file():
        raise TrainError(f"{run}: no such run")
    record = json.loads(path.read_text(encoding="utf-8"))
    if not record["result"]["finished"]:
        raise TrainError(f"{run}: not finished; go on with its own run first")
    return record


def check_teacher(run: Path, record: dict) -> None:
    """Refuses a teacher that isn't finished, or was made otherwise or of other sounds. Its code may be an earlier one,
    whose record names rooms that it didn't hear: what it knows is as good."""
    old = finished_record(run)
    sounds = {**record["data"], "rooms": old["data"].get("rooms")}
    if found := difference(old, {**record, "data": sounds}, ("configuration", "frontend", "data")):
        raise TrainError(f"{run}: {found}; leave out --teachers-of, and it is trained here")


def check_beginning(run: Path, record: dict) -> None:
    """Refuses a network that isn't finished, is of another shape, or knows other recordings. How long it has been
    trained, and what it heard beside them, is its own matter."""
    old = finished_record(run)
    if (old["configuration"]["readout"] == "none") != (record["configuration"]["readout"] == "none"):
        raise TrainError(f"{run}: has {'no' if old['configuration']['readout'] == 'none' else 'an'} LSTM; choose another")
    wanted = {
        "configuration": {field: record["configuration"][field] for field in ("network", "steps", "normalize")},
        "frontend": record["frontend"],
        "data": {field: value for field, value in record["data"].items() if field not in ("not_music", "rooms")},
    }
    if found := difference(old, wanted, tuple(wanted)):
        raise TrainError(f"{run}: {found}; leave out --begin-with, and a beginning is trained here")


def network_of_package(package: Path, record: dict, dropout: float) -> nn.Module:
    """The network of a package's float graph, to begin with. Its windows may have been longer or shorter, its frames
    closer; for other labels its last layer begins anew."""
    import export  # wants onnx, which nothing else here does

    old, graph = finished_record(package), package / "float.onnx"
    try:
        model = export.read_graph(graph, dropout)
    except export.ExportError as error:
        raise TrainError(str(error)) from None
    if (model.readout == "none") != (record["configuration"]["readout"] == "none"):
        raise TrainError(f"{graph}: has {'no' if model.readout == 'none' else 'an'} LSTM; choose another")
    for field, value in record["frontend"]["spec"].items():
        if field not in ("hop", "level") and (there := old["frontend"]["spec"].get(field)) != value:
            raise TrainError(f"{package}: frontend.spec.{field} was {there!r} and is now {value!r}; choose another")
    if old["labels"] != record["labels"]:
        torch.manual_seed(record["configuration"]["seed"])
        model.dense = nn.Linear(model.dense.in_features, len(record["labels"]))
        print(f"note: {package} knows other labels; its last layer begins anew", flush=True)
    if old["data"]["sha256"] != record["data"]["sha256"]:
        print(
            f"note: {package} was trained on another split: accuracy on what it knows already is partly memory", flush=True
        )
    return model


def new_record(
    config: Config, frontend: data.Frontend, entries: list[data.Entry], labels: list[str], beside: dict[str, object]
) -> dict:
    """The training record before any training. It names no path of the machine."""
    counts = {part: len({(entry.genre, entry.track) for entry in entries if entry.part == part}) for part in data.PARTS}
    described = {"sha256": data.data_hash(entries), "tracks": counts, **beside}
    if any(entry.excerpt is not None for entry in entries):
        described["excerpts"] = {part: sum(entry.part == part for entry in entries) for part in data.PARTS}
    return {
        "configuration": asdict(config),
        "augmentation": asdict(disturbances(config, frontend.spec)),
        "frontend": {"fingerprint": frontend.fingerprint, "spec": frontend.spec},
        "data": described,
        "code": {"sha256": code_hash()},
        "labels": labels,
        "parameters": parameter_count(network_for(config, len(labels), frontend.spec["hop"])),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def write_record(run: Path, record: dict, trainer: Trainer) -> None:
    """Writes training.json as far as the run has come; a finished run is measured again in float32."""
    result = {"finished": trainer.finished, "epochs": trainer.epoch, "seconds": round(trainer.seconds)}
    if trainer.best is not None:
        result["best_epoch"] = trainer.best["epoch"]
        result["validation"] = {name: trainer.best[name] for name in ("excerpt", "track", "loss")}
    if trainer.finished:
        best = torch.load(run / "best.pt", map_location="cpu", weights_only=True)
        trainer.averaged.model.load_state_dict(best["model"])
        log_probabilities, tracks = window_log_probabilities(trainer.averaged.model, trainer.valid)
        result["validation"] = figures(log_probabilities, tracks, trainer.valid.targets)
        result["temperature"] = fit_temperature(log_probabilities, trainer.valid.targets[tracks])
    text = json.dumps({**record, "result": result}, indent=2)
    partial = run / "training.json.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(run / "training.json")


def hint_at_hop(config: Config, spec: dict) -> None:
    """Tells which options make windows as long and as close as the shipped model's of frames that are further apart, or
    closer, where they are of quite another length."""
    hop, shipped = spec["hop"], frames_for(WINDOW_STEPS) * HOP
    samples = frames_for(config.steps) * hop
    if hop != HOP and not 2 / 3 < samples / shipped < 1.5:
        steps, spacing = max(1, steps_for(shipped // hop)), max(1, round(Config.spacing * HOP / hop))
        print(
            f"note: windows of {samples / spec['rate_hz']:.1f} s; --steps {steps} --spacing {spacing} make them as long and as "
            "close as the shipped model's",
            flush=True,
        )


@dataclass(frozen=True)
class Source:
    """Where the data are: features, the split's file and column, features of what isn't music, and of the training
    tracks in rooms, a folder per take; and networks that were made before."""

    features: Path
    split: Path | None = None
    column: str = "fault_filtered_split"
    not_music: Path | None = None
    rooms: tuple[Path, ...] = ()
    teachers_of: Path | None = None  # another run, whose finished teachers teach here too
    heard: Path | None = None  # what another network hears in the same tracks (musicnn.py)
    begin_with: Path | None = None  # a finished run or a package, whose network a student begins as


def train(config: Config, source: Source, run: Path, stop_after: int | None = None) -> Trainer:
    """Runs or continues a training, its teachers' first; `stop_after` ends every training of this call after so many
    epochs."""
    features, split, column = source.features, source.split, source.column
    frontend = data.read_frontend(features)
    entries = data.read_split(split, column, features) if split else data.split_by_hash(features)
    if split is None:
        print("warning: no --split: tracks of one artist may be in two parts, which overstates accuracy", flush=True)
    if config.windows == "random" and any(entry.excerpt is not None for entry in entries):
        raise TrainError("windows at random positions would cut through a split by excerpts; use --windows grid")
    shared = data.shared_artists(entries)
    for artist, parts in list(shared.items())[:SHOWN_ARTISTS]:
        print(f"warning: {artist} is in {' and '.join(parts)}: accuracy is partly memory", flush=True)
    if len(shared) > SHOWN_ARTISTS:
        print(f"warning: so are {len(shared) - SHOWN_ARTISTS} more artists", flush=True)
    hint_at_hop(config, frontend.spec)
    labels = data.labels_of(entries)
    windows = data.Windows(frames_for(config.steps), frontend.evaluation_hop)
    train_part, valid = (data.load_part(features, entries, part, labels, windows) for part in ("train", "valid"))
    parts = Parts(train_part, valid, None, frontend.spec)
    beside: dict[str, object] = {"not_music": None, "rooms": []}
    if source.not_music:
        parts.not_music, beside["not_music"] = data.load_not_music(source.not_music, frontend, windows)
    else:
        print("note: no --not-music: the network will take speech and noise for one of its labels", flush=True)
    if source.rooms:
        settings = disturbances(config, frontend.spec)
        if settings.stretch or settings.shift:
            raise TrainError("rooms and windows stretched at random don't go together; choose another --augmentation")
        takes = [data.load_take(folder, frontend, train_part, labels) for folder in source.rooms]
        parts.rooms, beside["rooms"] = [take for take, _ in takes], [sha256 for _, sha256 in takes]
    lessons = teacher_configs(config)
    if source.heard:
        if not lessons or config.readout == "none":
            raise TrainError("--heard is for students, which have teachers and an LSTM; leave it out")
        parts.heard, beside["heard"] = heard.load(
            source.heard, train_part, labels, grid_spacing(config, train_part, student=True)
        )
    print(
        f"{len(train_part.tracks)} tracks to train on, {len(valid.tracks)} to validate, {len(labels)} labels, "
        f"{torch.get_num_threads()} threads",
        flush=True,
    )

    def described(config: Config, parts: Parts) -> dict:
        not_music = beside["not_music"] if parts.not_music else None
        used = {"not_music": not_music, "rooms": beside["rooms"] if parts.rooms else []}
        if parts.heard is not None:
            used["heard"] = beside["heard"]
        return new_record(config, frontend, entries, labels, used)

    def network_of(config: Config, run: Path) -> nn.Module:
        model = network_for(config, len(labels), frontend.spec["hop"])
        model.load_state_dict(torch.load(run / "best.pt", map_location="cpu", weights_only=True)["model"])
        return model.eval()

    def one(
        config: Config, parts: Parts, run: Path, begin: nn.Module | None = None, taught: Sequence[nn.Module] = ()
    ) -> Trainer:
        record = described(config, parts)
        if begin:
            record["data"]["begun_with"] = weights_hash([begin])
        if taught:
            record["data"]["taught_by"] = weights_hash(taught)
        check_same(run, record)
        run.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(config, parts, labels, run, taught)
        if begin:
            trainer.begin_as(begin)
        trainer.resume()
        run_epochs(trainer, record, stop_after)
        return trainer

    def beginning() -> nn.Module | Trainer | None:
        """What the student begins as; the beginning's own training, where this call ended before that was finished."""
        first, folder = beginning_config(config), source.begin_with or run / "beginning"
        if source.begin_with and (folder / "manifest.toml").is_file():
            return network_of_package(folder, described(first, music), config.dropout)
        if source.begin_with:
            check_beginning(folder, described(first, music))
        elif not lessons:
            return None
        elif not (trainer := one(first, music, folder)).finished:
            return trainer
        return network_of(first, folder)

    recorded = replace(parts, rooms=[], heard=None)
    music = replace(recorded, not_music=None)
    begin = beginning()
    if isinstance(begin, Trainer):
        return begin
    taught = []
    for name, teaching in lessons.items():
        folder = (source.teachers_of or run) / name
        if source.teachers_of:
            check_teacher(folder, described(teaching, recorded))
        elif not (teacher := one(teaching, recorded, folder)).finished:
            return teacher
        taught.append(network_of(teaching, folder))
    trainer = one(config, parts, run, begin, taught)
    if split is None:
        made = run / "split.csv"
        made.write_text(data.split_csv(entries), encoding="utf-8")
        print(f"note: for quantize and evaluate: --split {made} --split-column part", flush=True)
    return trainer


def run_epochs(trainer: Trainer, record: dict, stop_after: int | None) -> None:
    """The epochs that are missing, each with its checkpoint; then the finished record."""
    config, run = trainer.config, trainer.run
    print(f"{run}: {config.network}, {trainer.steps} steps of {config.batch} windows per epoch", flush=True)
    until = config.epochs if stop_after is None else min(config.epochs, trainer.epoch + stop_after)
    while not trainer.finished and trainer.epoch < until:
        begin = time.monotonic()
        loss = trainer.run_epoch()
        trainer.finish_epoch(loss, trainer.validate(), time.monotonic() - begin)
        if not trainer.finished:
            write_record(run, record, trainer)
    write_record(run, record, trainer)


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Config]:
    """The command line: a recipe, and fields of it that are changed."""
    parser = argparse.ArgumentParser(
        description="Train the network on features that `harmonynet features` wrote. Run it again to go on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  python models/train/train.py --features features --split gtzan.csv --run runs/main
  python models/train/train.py --features features --split gtzan.csv --run runs/paper --recipe paper
  python models/train/train.py --features my-genres --run runs/mine --epochs 10""",
    )
    add_data_arguments(parser)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder, made or continued")
    parser.add_argument("--recipe", choices=RECIPES, default="shipped", help="whence the defaults (default: shipped)")
    parser.add_argument("--stop-after", type=int, metavar="N", help="end this call after N epochs; run again to go on")
    parser.add_argument(
        "--not-music", type=Path, metavar="DIR", help="features of sounds that aren't music (see negatives.py)"
    )
    parser.add_argument(
        "--rooms", type=Path, nargs="+", default=[], metavar="DIR", help="features of takes in rooms (see rooms.py)"
    )
    parser.add_argument(
        "--teachers-of", type=Path, metavar="DIR", help="another run: its finished teachers teach here, none is trained"
    )
    parser.add_argument(
        "--heard", type=Path, metavar="DIR", help="what another network hears in the same tracks (see musicnn.py)"
    )
    parser.add_argument(
        "--begin-with", type=Path, metavar="DIR", help="a finished run, or a package: a student begins as its network"
    )
    texts = {
        "network": "what is trained; all but harmonynet are teachers, which aren't exported",
        "teachers": "networks that are trained first and teach, separated by commas",
        "teaching": "share of the teachers' opinion in the targets",
        "imitation": "of a student with --heard: weight of the error in telling what was heard",
        "spacing": "of a student: frames from window to window of the grid that its teachers are asked about",
        "lessons": "augmentation that the teachers are trained with",
        "lesson_epochs": "length of each teacher's run",
        "epochs": "length of the run and of the cosine schedule, the network of --begin-with not counted",
        "steps": "length of a window: steps of the network, 8·steps + 14 frames",
        "windows": "where training windows lie: at random positions, or every window of the grid once per epoch",
        "windows_per_track": "of --windows random: windows cut from every track per epoch",
        "grid": "of --windows grid: frames from window to window; 0 = 2 s, as when judging",
        "batch": "windows per step",
        "rate": "largest learning rate",
        "weight_decay": "of AdamW",
        "dropout": "after every pooling and before the last layer",
        "smoothing": "label smoothing",
        "average": "decay of the moving average of the weights; 0 = the weights themselves",
        "patience": "stop after so many epochs without improvement; 0 = never",
        "seed": "of everything random",
    }
    choices = {
        "network": ("harmonynet", *TEACHERS),
        "windows": ("random", "grid"),
        "schedule": ("cosine", "constant"),
        "augmentation": tuple(augment.PRESETS),
        "lessons": tuple(augment.PRESETS),
        "readout": READOUTS,
        "normalize": NORMALIZATIONS,
        "precision": ("bfloat16", "float32"),
    }
    default = Config()
    for field in fields(Config):
        kind = type(getattr(default, field.name))
        shown = f"{getattr(default, field.name)}; paper: {getattr(PAPER, field.name)}"
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kind,
            choices=choices.get(field.name),
            metavar=None if field.name in choices else kind.__name__.upper(),
            help=f"{texts.get(field.name, field.name)} (default: {shown})",
        )
    args = parser.parse_args(arguments)
    changed = {f.name: getattr(args, f.name) for f in fields(Config) if getattr(args, f.name) is not None}
    return args, Config(**{**asdict(RECIPES[args.recipe]), **changed})


def main() -> None:
    args, config = parse()
    torch.set_num_threads(args.threads)
    try:
        source = Source(
            args.features, args.split, args.split_column, args.not_music, tuple(args.rooms), args.teachers_of,
            args.heard, args.begin_with,
        )  # fmt: skip
        trainer = train(config, source, args.run, args.stop_after)
    except (data.DataError, TrainError) as error:
        sys.exit(f"train: {error}")
    except KeyboardInterrupt:
        sys.exit("train: interrupted; run the same command to go on after the last finished epoch")
    if trainer.best is not None:
        best = trainer.best
        print(f"best epoch {best['epoch']}: validation excerpt {best['excerpt']:.3f}, track {best['track']:.3f}")


if __name__ == "__main__":
    main()
