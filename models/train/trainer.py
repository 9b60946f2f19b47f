"""One training: windows in batches, epochs with their checkpoints, and the network that did best on the validation part.

Started again, it goes on after its last finished epoch and ends as if it had never been interrupted: every epoch seeds its
own random numbers.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import augment
import beside
import data
import heard
from evaluate import figures, fit_temperature, window_log_probabilities
from network import LSTM_UNITS, frames_for
from recipe import Config, disturbances, network_for, rate_at
from runs import replace_file

ASKED_AT_ONCE = 64  # windows
IN_ROOMS_SHARE = 0.7  # of a student's windows, where there are takes in rooms
# Windows, target distributions, lessons: the teachers' opinions, and behind them what was heard.
Batch = tuple[Tensor, Tensor, Tensor | None]


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


def grid_spacing(config: Config, part: data.Part, student: bool) -> int:
    """Frames from one training window to the next, where they lie on a grid."""
    if part.excerpts is not None:
        return part.windows.hop
    return (config.spacing if student else config.grid) or part.windows.hop


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
    features of the training tracks in rooms, one list of them per take; what was heard in windows to train on; music
    without labels, in each of its forms, and what was heard in that."""

    train: data.Part
    valid: data.Part
    not_music: data.Part | None
    spec: dict
    rooms: list[data.Part] = field(default_factory=list)
    heard: Tensor | None = None
    unlabelled: list[data.Part] = field(default_factory=list)
    heard_unlabelled: Tensor | None = None


class Trainer:
    """One run: network, average, optimizer and what they have reached."""

    def __init__(
        self, config: Config, parts: Parts, labels: list[str], run: Path, taught: Sequence[nn.Module] = ()
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.labels, self.run = config, labels, run
        self.train, self.valid, self.rooms = parts.train, parts.valid, parts.rooms
        self.not_music = beside.NotMusic(parts.not_music, len(labels)) if parts.not_music else None
        self.model = network_for(config, len(labels), parts.spec["hop"])
        self.averaged = Averaged(self.model, config.average)
        # Tells what was heard from the student's summary; it is left behind.
        self.imitator = nn.Linear(LSTM_UNITS, heard.COMPONENTS) if parts.heard is not None else None
        trained = nn.ModuleList([self.model] if self.imitator is None else [self.model, self.imitator])
        self.optimizer = optimizer_for(trained, config)
        self.augmentation = disturbances(config, parts.spec)
        self.precision = getattr(torch, config.precision)
        student = bool(taught) or self.imitator is not None
        spacing = grid_spacing(config, self.train, student)
        self.grid = data.grid_windows(self.train, spacing) if student or config.windows == "grid" else None
        self.lessons, self.unlabelled = self.learn_from(taught, parts, spacing) if student else (None, None)
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
            forms = [self.train, *self.rooms]
            form = rng.integers(1, len(forms), len(chosen)) if self.rooms else np.zeros(len(chosen), int)
            form[rng.random(len(chosen)) >= IN_ROOMS_SHARE] = 0
            x = beside.cut_forms(forms, form, chosen, start, frames)
            targets = torch.eye(len(self.labels))[self.train.targets[chosen]]
            if self.lessons is not None:
                # Side by side, so that both are mixed alike.
                targets = torch.cat([targets, self.lessons[order[first : first + self.config.batch]]], 1)
            if self.unlabelled:
                other, theirs = self.unlabelled.beside(len(x), frames, rng)
                x, targets = torch.cat([x, other]), torch.cat([targets, theirs])
            x, targets = augment.mix(x, targets, self.augmentation, rng)
            if self.not_music:
                other, even = self.not_music.beside(len(x), frames, targets.shape[1], rng)
                other, even = augment.mix(other, even, replace(self.augmentation, mixup=0.0), rng)
                x, targets = torch.cat([x, other]), torch.cat([targets, even])
            if self.lessons is not None:
                targets, taught = targets.tensor_split([len(self.labels)], 1)
            yield augment.disturb(x, self.augmentation, rng), targets, taught

    def learn_from(
        self, taught: Sequence[nn.Module], parts: Parts, spacing: int
    ) -> tuple[Tensor, beside.Unlabelled | None]:
        """The lessons about every window of the grid: the mean of the teachers' opinion and of what was heard, and behind it
        what was heard; and music without labels with its own lessons."""
        unlabelled = parts.unlabelled
        grid = data.grid_windows(unlabelled[0], spacing) if unlabelled else None
        lessons = [self.ask(taught, self.train, self.grid, "opinions")] if taught else []
        theirs = [self.ask(taught, unlabelled[0], grid, "opinions-unlabelled")] if taught and unlabelled else []
        if parts.heard is None:
            return lessons[0], None
        scale = heard.Scale.of(parts.heard)
        standard, targets = scale.standardized(parts.heard), torch.from_numpy(self.train.targets[self.grid[0]])
        readout = heard.Readout(standard, targets, len(self.labels))
        mean = torch.stack([*lessons, readout.opinions(standard)]).mean(0)
        mine = torch.cat([mean, scale.components(parts.heard)], 1)
        if not unlabelled:
            return mine, None
        mean = torch.stack([*theirs, readout.opinions(scale.standardized(parts.heard_unlabelled))]).mean(0)
        theirs = torch.cat([mean, scale.components(parts.heard_unlabelled)], 1)
        return mine, beside.Unlabelled(unlabelled, grid, theirs, len(self.labels))

    @torch.no_grad()
    def ask(
        self, taught: Sequence[nn.Module], part: data.Part, grid: tuple[np.ndarray, np.ndarray], name: str
    ) -> Tensor:
        """The teachers' mean probabilities of every window of the grid as it was recorded, [windows, labels]; kept in
        the run's folder, with a hash of who was asked about what."""
        tracks, starts = grid
        path, asked = self.run / f"{name}.pt", weights_hash(taught) + hashlib.sha256(tracks + starts).hexdigest()
        if path.is_file():
            kept = torch.load(path, map_location="cpu", weights_only=True)
            if kept["asked"] == asked:
                return kept["opinions"]
        opinions, shown = [], time.monotonic()
        for first in range(0, len(tracks), ASKED_AT_ONCE):
            chosen = slice(first, first + ASKED_AT_ONCE)
            x = torch.from_numpy(data.cut(part, tracks[chosen], starts[chosen], frames_for(self.config.steps)))
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == torch.bfloat16):
                each = [torch.softmax(teacher(x).float(), 1) for teacher in taught]
            opinions.append(torch.stack(each).mean(0))
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"  teachers asked about {first + len(x)} of {len(tracks)} windows", flush=True)
        replace_file(path, {"asked": asked, "opinions": torch.cat(opinions)})
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

    def score(self, valid: dict[str, float]) -> float:
        """What the best epoch has most of."""
        return (valid["excerpt"] + valid["track"]) / 2

    def measured(self) -> dict[str, object]:
        """Of a finished run: its best epoch's validation figures in float32, and the temperature that fits them."""
        best = torch.load(self.run / "best.pt", map_location="cpu", weights_only=True)
        self.averaged.model.load_state_dict(best["model"])
        log_probabilities, tracks = window_log_probabilities(self.averaged.model, self.valid)
        valid = figures(log_probabilities, tracks, self.valid.targets)
        return {"validation": valid, "temperature": fit_temperature(log_probabilities, self.valid.targets[tracks])}

    def finish_epoch(self, loss: float, valid: dict[str, float], seconds: float) -> None:
        """Keeps the best weights, writes the log line and the checkpoint."""
        self.seconds += seconds
        self.epoch += 1
        score = self.score(valid)
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
            replace_file(self.run / "best.pt", best)
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
        replace_file(self.run / "last.pt", checkpoint)
        measured = {f"valid_{name}": value for name, value in valid.items()}
        line = {"epoch": self.epoch, "train_loss": loss, **measured, "seconds": seconds}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        left = self.seconds / self.epoch * (self.config.epochs - self.epoch) / 60
        found = ", ".join(f"{name} {value:.3f}" for name, value in valid.items())
        print(
            f"epoch {self.epoch}/{self.config.epochs}: training loss {loss:.3f}, validation {found}, best "
            f"{self.best['score']:.3f} (epoch {self.best['epoch']}), {seconds:.0f} s, {left:.0f} min left",
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


def write_record(run: Path, record: dict, trainer: Trainer) -> None:
    """Writes training.json as far as the run has come; a finished run is measured again in float32."""
    result = {"finished": trainer.finished, "epochs": trainer.epoch, "seconds": round(trainer.seconds)}
    if trainer.best is not None:
        result["best_epoch"] = trainer.best["epoch"]
        result["validation"] = {name: value for name, value in trainer.best.items() if name not in ("epoch", "score")}
    if trainer.finished:
        result |= trainer.measured()
    text = json.dumps({**record, "result": result}, indent=2)
    partial = run / "training.json.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(run / "training.json")


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
