"""What decides a training's weights besides data and code, and the recipes: fields of it that go together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

import augment
import teachers
from network import WINDOW_STEPS, HarmonyNet, frames_for

NO_LABELS = ("music",)  # of a network that knows no label yet (listen.py)
LESSON_RATE = 1.5e-3  # the teachers' largest learning rate, whatever the student's is
TEACHERS = ("statistics", "pooled", "coarse")
STUDENTS = ("teaching", "imitation", "spacing", "readout")  # fields that make no difference to a teacher


class TrainError(Exception):
    """The run cannot be started or continued."""


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
RECIPES = {"shipped": Config(), "paper": PAPER}


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


def rate_at(config: Config, progress: float) -> float:
    """Learning rate at a share of the whole run: linear warm-up over 4 %, then a half cosine down to 1 %."""
    if config.schedule == "constant":
        return config.rate
    warm = min(1.0, progress / 0.04 + 0.02)
    return config.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
