"""Trains the network on features that the front-end wrote: features in, one run folder out.

    runs/<name>/training.json   configuration, front-end, hashes of data and code, figures (validation only)
    runs/<name>/log.jsonl       one line per epoch
    runs/<name>/best.pt         the averaged network of the best epoch: what export.py and evaluate.py read
    runs/<name>/last.pt         everything needed to go on after an interruption
    runs/<name>/teacher-1-…     the same of every teacher, which is trained first

Started again with the same configuration, a run goes on after its last finished epoch and ends as if it had never been
interrupted: every epoch seeds its own random numbers. The test part of the split is never read here.

The best epoch is the one with the largest mean of excerpt and track accuracy on the validation part, measured with the
exponential moving average of the weights.

Teachers are networks of other kinds (teachers.py), trained on the same part of the split in the same way, but without
rooms. They hear every window as it was recorded and mixed; the student hears it as a device in a room would, and most
of its target is the mean of their opinions.
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import augment
import data
import teachers
from evaluate import add_data_arguments, figures, fit_temperature, window_log_probabilities
from network import NORMALIZATIONS, READOUTS, WINDOW_STEPS, HarmonyNet, frames_for, parameter_count

SHOWN_ARTISTS = 5
IN_ROOMS_SHARE = 0.7  # of a student's windows, where there are takes in rooms
NOT_MUSIC_SHARE = 0.15  # windows that aren't music, as a share of those that are
SOURCES = ("network.py", "teachers.py", "table.py", "data.py", "augment.py", "evaluate.py", "train.py")


@dataclass(frozen=True)
class Config:
    """Everything that decides the weights, besides data and code."""

    network: str = "harmonynet"
    teachers: str = "statistics,pooled,pooled,coarse"
    teaching: float = 0.8
    lessons: str = "colour"
    lesson_epochs: int = 16
    epochs: int = 30
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
Batch = tuple[Tensor, Tensor, Tensor]  # windows as recorded, as a device hears them; target distributions
TEACHERS = ("statistics", "pooled", "coarse")
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
    """The teachers' own configurations, by the names of their run folders."""
    names = [name for name in config.teachers.split(",") if name]
    unknown = sorted(set(names) - set(TEACHERS))
    if unknown:
        raise TrainError(f"no such teacher: {', '.join(unknown)}; there are {', '.join(TEACHERS)}")
    return {
        f"teacher-{number}-{name}": replace(
            config,
            network=name,
            teachers="",
            augmentation=config.lessons,
            epochs=config.lesson_epochs,
            seed=1000 * config.seed + number,
        )
        for number, name in enumerate(names, 1)
    }


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
    features of the training tracks in rooms, one list of them per take."""

    train: data.Part
    valid: data.Part
    not_music: data.Part | None
    spec: dict
    rooms: list[data.Part] = field(default_factory=list)


class Trainer:
    """One run: network, average, optimizer and what they have reached."""

    def __init__(self, config: Config, parts: Parts, labels: list[str], run: Path, taught: list[nn.Module]) -> None:
        torch.manual_seed(config.seed)
        self.config, self.labels, self.run, self.taught = config, labels, run, taught
        self.train, self.valid, self.not_music, self.rooms = parts.train, parts.valid, parts.not_music, parts.rooms
        self.model = network_for(config, len(labels), parts.spec["hop"])
        self.averaged = Averaged(self.model, config.average)
        self.optimizer = optimizer_for(self.model, config)
        self.augmentation = disturbances(config, parts.spec)
        grid = config.grid or self.train.windows.hop
        self.grid = data.grid_windows(self.train, grid) if config.windows == "grid" else None
        self.precision = getattr(torch, config.precision)
        windows = len(self.train.tracks) * config.windows_per_track if self.grid is None else len(self.grid[0])
        self.steps = math.ceil(windows / config.batch)
        self.epoch = 0
        self.best: dict | None = None
        self.seconds = 0.0

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """The epoch's windows in random order: of every track equally many at random positions, or the grid once; each
        batch as recorded, as a device would hear it, and its targets."""
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
            targets = torch.eye(len(self.labels))[self.train.targets[chosen]]
            # As recorded and in rooms, one after the other in time, so that both are mixed and coloured alike.
            x = torch.cat([x, self.in_rooms(x, chosen, start, rng)], 1) if self.rooms else x
            x, targets = augment.mix(x, targets, self.augmentation, rng)
            recorded, heard = x[:, :frames], x[:, -frames:]
            if self.not_music:
                other, even = self.what_is_not_music(len(x), rng)
                recorded, heard = torch.cat([recorded, other]), torch.cat([heard, other])
                targets = torch.cat([targets, even])
            yield recorded, augment.disturb(heard, self.augmentation, rng), targets

    def in_rooms(self, x: Tensor, track: np.ndarray, start: np.ndarray, rng: np.random.Generator) -> Tensor:
        """The same windows, most of them from a take in a room."""
        takes = rng.integers(0, len(self.rooms), len(x))
        takes[rng.random(len(x)) >= IN_ROOMS_SHARE] = -1
        heard = x.clone()
        for take, part in enumerate(self.rooms):
            mine = np.flatnonzero(takes == take)
            heard[mine] = torch.from_numpy(data.cut(part, track[mine], start[mine], x.shape[1]))
        return heard

    def what_is_not_music(self, music: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Some windows of what isn't music beside so many that are; every label is equally true. Never mixed."""
        settings = replace(self.augmentation, mixup=0.0)
        chosen = rng.integers(0, len(self.not_music.features), math.ceil(music * NOT_MUSIC_SHARE))
        room = np.array([max(0, len(self.not_music.features[i]) - settings.frames) for i in chosen])
        other = torch.from_numpy(data.cut(self.not_music, chosen, rng.integers(0, room + 1), settings.frames))
        even = torch.full((len(chosen), len(self.labels)), 1 / len(self.labels))
        return augment.mix(other, even, settings, rng)

    @torch.no_grad()
    def opinion(self, recorded: Tensor) -> Tensor:
        """The teachers' mean probabilities of windows that no room has disturbed, [N, labels]."""
        return torch.stack([torch.softmax(teacher(recorded).float(), 1) for teacher in self.taught]).mean(0)

    def run_epoch(self) -> float:
        """One epoch; returns its mean training loss."""
        rng = np.random.default_rng((self.config.seed, self.epoch))
        torch.manual_seed(self.config.seed * 100_003 + self.epoch)  # dropout
        self.model.train()
        total, begin, shown = 0.0, time.monotonic(), time.monotonic()
        for step, (recorded, x, targets) in enumerate(ahead(self.batches(rng))):
            rate = rate_at(self.config, (self.epoch + step / self.steps) / self.config.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == torch.bfloat16):
                logits = self.model(x)
                taught = self.opinion(recorded) if self.taught else None
            loss = soft_cross_entropy(logits.float(), targets, self.config.smoothing)
            if taught is not None:
                loss = torch.lerp(loss, soft_cross_entropy(logits.float(), taught, 0.0), self.config.teaching)
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

    def resume(self) -> None:
        """Takes up the run's last finished epoch, if there is one."""
        path = self.run / "last.pt"
        if not path.is_file():
            return
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.averaged.model.load_state_dict(saved["averaged"])
        self.averaged.updates = saved["updates"]
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
    """The first thing in which two runs' records differ; `None` where there is none."""
    for section in sections:
        for field, value in record[section].items():
            if old[section].get(field) != value:
                return f"{section}.{field} was {old[section].get(field)!r} and is now {value!r}"
    return None


def check_same(run: Path, record: dict) -> None:
    """Refuses to continue a run with another configuration, data, front-end or code."""
    path = run / "training.json"
    if not path.is_file():
        return
    old = json.loads(path.read_text(encoding="utf-8"))
    if found := difference(old, record, ("configuration", "frontend", "data", "code")):
        raise TrainError(f"{run}: {found}; choose another --run folder, or delete this one to start over")


def check_teacher(run: Path, record: dict) -> None:
    """Refuses a teacher that isn't finished, or was taught otherwise or other things. It never heard rooms, and its
    code may be an earlier one: its opinions are as good."""
    path = run / "training.json"
    if not path.is_file():
        raise TrainError(f"{run}: no such teacher")
    old = json.loads(path.read_text(encoding="utf-8"))
    if not old["result"]["finished"]:
        raise TrainError(f"{run}: not finished; go on with its own run first")
    heard = {**record["data"], "rooms": old["data"].get("rooms")}
    if found := difference(old, {**record, "data": heard}, ("configuration", "frontend", "data")):
        raise TrainError(f"{run}: {found}; leave out --teachers-of, and teachers are trained here")


def new_record(
    config: Config, frontend: data.Frontend, entries: list[data.Entry], labels: list[str], beside: dict[str, object]
) -> dict:
    """The training record before any training. It names no path of the machine."""
    counts = {part: len({entry.track for entry in entries if entry.part == part}) for part in data.PARTS}
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


@dataclass(frozen=True)
class Source:
    """Where the data are: features, the split's file and column, features of what isn't music, and of the training
    tracks in rooms, a folder per take."""

    features: Path
    split: Path | None = None
    column: str = "fault_filtered_split"
    not_music: Path | None = None
    rooms: tuple[Path, ...] = ()
    teachers_of: Path | None = None  # another run, whose finished teachers teach here too


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
    print(
        f"{len(train_part.tracks)} tracks to train on, {len(valid.tracks)} to validate, {len(labels)} labels, "
        f"{torch.get_num_threads()} threads",
        flush=True,
    )

    def one(config: Config, parts: Parts, run: Path, taught: list[nn.Module]) -> Trainer:
        record = new_record(config, frontend, entries, labels, beside)
        check_same(run, record)
        run.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(config, parts, labels, run, taught)
        trainer.resume()
        run_epochs(trainer, record, stop_after)
        return trainer

    taught = []
    for name, teaching in teacher_configs(config).items():
        if source.teachers_of:
            folder = source.teachers_of / name
            check_teacher(folder, new_record(teaching, frontend, entries, labels, beside))
        else:
            folder = run / name
            teacher = one(teaching, replace(parts, rooms=[]), folder, [])
            if not teacher.finished:
                return teacher
        model = network_for(teaching, len(labels), frontend.spec["hop"])
        model.load_state_dict(torch.load(folder / "best.pt", map_location="cpu", weights_only=True)["model"])
        taught.append(model.eval())
    return one(config, parts, run, taught)


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
        "--teachers-of", type=Path, metavar="DIR", help="another run, whose finished teachers teach here: none is trained"
    )
    texts = {
        "network": "what is trained; all but harmonynet are teachers, which aren't exported",
        "teachers": "networks that are trained first and teach, separated by commas",
        "teaching": "share of the teachers' opinion in the targets",
        "lessons": "augmentation that the teachers are trained with",
        "lesson_epochs": "length of each teacher's run",
        "epochs": "length of the run and of the cosine schedule",
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
            args.features, args.split, args.split_column, args.not_music, tuple(args.rooms), args.teachers_of
        )
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
