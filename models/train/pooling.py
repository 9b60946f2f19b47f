"""Figures of one evaluation record, or of several whose test parts don't overlap (the folds of a protocol), added up.

Everything follows from the records' confusion matrices and their histograms of hits per track; nothing is averaged over
folds. Needs nothing but the standard library.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from studies import PACKAGE_STUDIES, PROTOCOLS, Study, of_protocol, read_record

RESAMPLES = 2000
SEED = 1

Matrix = list[list[int]]  # rows: truth, columns: what the model said


class PoolError(Exception):
    """Records that cannot be added up; the text says why."""


@dataclass(frozen=True)
class Quality:
    """Precision, recall and F1, 0–1; 0 where nothing was claimed or found."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Judged:
    """Excerpts or tracks, judged: confusion matrix and the 95 % interval of its accuracy."""

    confusion: Matrix
    interval: tuple[float, float]

    @property
    def total(self) -> int:
        """How many were judged."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of those judged right."""
        return sum(row[index] for index, row in enumerate(self.confusion)) / self.total

    def quality(self, label: int) -> Quality:
        """Of one label."""
        hits, truths = self.confusion[label][label], sum(self.confusion[label])
        claims = sum(row[label] for row in self.confusion)
        return Quality(hits / max(claims, 1), hits / max(truths, 1), 2 * hits / max(claims + truths, 1))

    @property
    def macro(self) -> Quality:
        """Mean over the labels that were there to be found."""
        held = [self.quality(label) for label, row in enumerate(self.confusion) if sum(row)]
        return Quality(*(sum(getattr(q, name) for q in held) / len(held) for name in ("precision", "recall", "f1")))


@dataclass(frozen=True)
class Pooled:
    """The figures of one or more evaluation records."""

    labels: list[str]
    excerpt: Judged
    track: Judged
    evaluations: list[dict]


def bootstrap(tracks: list[tuple[int, int]]) -> tuple[float, float]:
    """95 % interval (percentiles) of the accuracy over the things of `tracks`, each (things, hits), by drawing tracks
    anew: what belongs to one track stays together. The same tracks in another order give another draw, so sort them."""
    draw = random.Random(SEED).random  # the one method whose sequence Python promises to keep
    number, accuracies = len(tracks), []
    for _ in range(RESAMPLES):
        drawn = [tracks[int(draw() * number)] for _ in range(number)]
        accuracies.append(sum(hits for _, hits in drawn) / sum(things for things, _ in drawn))
    accuracies.sort()
    beyond = RESAMPLES // 40
    return accuracies[beyond - 1], accuracies[RESAMPLES - beyond]


def pool(evaluations: list[dict]) -> Pooled:
    """Adds records up. A single record keeps the intervals that it states."""
    labels = evaluations[0]["labels"]
    if any(evaluation["labels"] != labels for evaluation in evaluations):
        raise PoolError("records of different labels cannot be added up")
    excerpt, track = (_sum([e[kind]["confusion"] for e in evaluations]) for kind in ("excerpt", "track"))
    if len(evaluations) == 1:
        intervals = [tuple(evaluations[0][kind]["interval"]) for kind in ("excerpt", "track")]
    else:
        counted = sorted((things, hits, tracks) for e in evaluations for things, hits, tracks in e["hits"])
        by_track = [(things, hits) for things, hits, tracks in counted for _ in range(tracks)]
        if sum(things for things, _ in by_track) != sum(map(sum, excerpt)):
            raise PoolError("the histograms of hits don't hold as many excerpts as the confusion matrices")
        right = sum(row[index] for index, row in enumerate(track))
        wrong = sum(map(sum, track)) - right
        intervals = [bootstrap(by_track), bootstrap([(1, 0)] * wrong + [(1, 1)] * right)]
    return Pooled(labels, Judged(excerpt, intervals[0]), Judged(track, intervals[1]), evaluations)


def accuracy(evaluations: list[dict], kind: str) -> float:
    """Share judged right of all "excerpt"s or "track"s."""
    return Judged(_sum([evaluation[kind]["confusion"] for evaluation in evaluations]), (0, 1)).accuracy


def _sum(matrices: list[Matrix]) -> Matrix:
    return [[sum(cells) for cells in zip(*rows)] for rows in zip(*matrices)]


@dataclass
class Records:
    """The folder of records, and what was looked for in vain."""

    folder: Path
    missing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pooled = cache(self._pooled)

    def evaluations(self, name: str) -> list[dict] | None:
        """What was measured in a study, "p2-track-paper", one entry per fold; `None` where a record is missing."""
        found = [(study, read_record(self.folder, study)) for study in _studies(name)]
        gone = [f"{study.name}.json" for study, record in found if record is None]
        self.missing += [record for record in gone if record not in self.missing]
        return None if gone else [record["evaluation"] for _, record in found if record]

    def _pooled(self, name: str) -> Pooled | None:
        """A study's figures over all of its folds; `None` where a record is missing."""
        evaluations = self.evaluations(name)
        try:
            return pool(evaluations) if evaluations else None
        except (KeyError, TypeError, IndexError) as error:
            raise PoolError(f"the records of {name} lack something: {error!r}") from None

    def trials(self) -> list[tuple[str, dict]]:
        """Records of trainings alone."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            if "configuration" in record:
                found.append((path.stem, record))
        return found


def _studies(name: str) -> list[Study]:
    protocol, _, recipe = name.rpartition("-")
    if recipe == "shipped" and protocol in PACKAGE_STUDIES:
        return [Study(protocol, recipe, trains=False)]
    if protocol not in PROTOCOLS or recipe not in PROTOCOLS[protocol].recipes:
        raise PoolError(f"there is no study {name!r}: wanted a protocol and a recipe, as in p2-track-paper")
    return of_protocol(protocol, recipe)
