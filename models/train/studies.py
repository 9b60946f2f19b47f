"""The measurements that the model card rests on: which protocol, which recipe, which fold, and what each changes.

One study leaves one record. `study.py` runs them, `assemble.py` makes tables of their records. Needs nothing but the
standard library, so that tables can be checked where there is no PyTorch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from protocols import FOLDS


class RecordError(Exception):
    """A record cannot be read; the text names the file."""


@dataclass(frozen=True)
class Protocol:
    """What is split how, and what the network and its training change for it."""

    split: str  # of protocols.py; with folds, its name without the number
    text: str
    recipes: tuple[str, ...] = ("paper",)
    folds: int = 0
    arguments: tuple[str, ...] = ()  # of train.py, beside the recipe
    shipped: tuple[str, ...] = ()  # likewise, for the shipped recipe alone

    def arguments_of(self, recipe: str) -> tuple[str, ...]:
        """What train.py is told beside the recipe."""
        return self.arguments + (self.shipped if recipe == "shipped" else ())


# P2 has 720 tracks to train on, P3 443: fewer windows of each make a training that is about as long, where they are drawn
# at random.
WINDOWS_OF_P3 = ("--windows-per-track", "8")
# Students of these splits begin as a network that knows none of their labels (study.py --listener), and nobody teaches
# them but musicnn: what the shipped model began as knows P3's training part, and four teachers for each would take hours.
STUDENT = ("--teachers=", "--spacing", "44", "--epochs", "4")
# The paper's recipe learns longer there, with better and worse epochs: excerpts of one track tell of each other.
EXCERPTS = ("--windows", "grid", "--epochs", "100", "--patience", "20")
STUDENT_OF_EXCERPTS = ("--teachers=", "--epochs", "12", "--patience", "0")

# The paper's recipe is trained for every protocol. P1 and P2 are trained with the shipped recipe too; P3 needs not,
# because the shipped package is that training.
PROTOCOLS = {
    "p3": Protocol("p3", "fault-filtered split"),
    "p3-no-lstm": Protocol("p3", "without LSTM", arguments=("--readout", "none")),
    "p3-2s": Protocol("p3", "excerpts of 2 s, half overlapping", arguments=("--steps", "9", "--grid", "40")),
    "p3-no-overlap": Protocol("p3", "excerpts that don't overlap", arguments=("--grid", "168")),
    "p1": Protocol(
        "p1", "overlapping excerpts at random (leaky)", ("paper", "shipped"), 0, EXCERPTS, STUDENT_OF_EXCERPTS
    ),
    "p2-track": Protocol("p2-track", "five folds by track", ("paper", "shipped"), FOLDS, WINDOWS_OF_P3, STUDENT),
    "p2-artist": Protocol("p2-artist", "five folds by artist", ("paper", "shipped"), FOLDS, WINDOWS_OF_P3, STUDENT),
}

# What is measured of the package as it is shipped, without training: name and what `harmonynet evaluate` is told.
# {audio} and {lossless} are the folders given on the command line; where there is audio, P3's split goes with it.
PACKAGE_STUDIES = {
    "p3": ("--audio", "{audio}", "--part", "test", "--compare", "float", "--compare", "int8"),
    "rooms": ("--audio", "{audio}", "--part", "test", "--rooms"),
    "not-music": ("--not-music",),
    "lossless": ("--audio", "{lossless}", "--against", "{audio}", "--part", "valid,test"),
}


@dataclass(frozen=True)
class Study:
    """One measurement. Without `trains` it is one of the shipped package."""

    protocol: str
    recipe: str
    fold: int | None = None
    trains: bool = True

    @property
    def name(self) -> str:
        """Of its record and of its folder among the runs."""
        return f"{self.protocol}-{self.recipe}" + (f"-fold{self.fold}" if self.fold else "")

    @property
    def split_protocol(self) -> str:
        """Which of protocols.py's protocols splits it."""
        return PROTOCOLS[self.protocol].split if self.trains else "p3"

    @property
    def split(self) -> str:
        """Name of its split among those of protocols.py."""
        return f"{self.split_protocol}-{self.fold}" if self.fold else self.split_protocol

    @property
    def by_excerpts(self) -> bool:
        """Whether its split has excerpts of one track in several parts."""
        return self.split == "p1"


def of_protocol(protocol: str, recipe: str) -> list[Study]:
    """The studies of one protocol with one recipe: one, or one per fold."""
    folds = PROTOCOLS[protocol].folds
    return [Study(protocol, recipe, fold) for fold in range(1, folds + 1)] if folds else [Study(protocol, recipe)]


def all_studies() -> list[Study]:
    """Everything, in the order in which it is worth having: the paper's recipe first, the leaky protocol last."""
    studies = [Study(name, "shipped", trains=False) for name in PACKAGE_STUDIES]
    for recipe in ("paper", "shipped"):
        for protocol in ("p3", "p3-no-lstm", "p3-2s", "p3-no-overlap", "p2-track", "p2-artist", "p1"):
            if recipe in PROTOCOLS[protocol].recipes:
                studies += of_protocol(protocol, recipe)
    return studies


def read_record(folder: Path, study: Study) -> dict | None:
    """The study's record; `None` where there is none yet."""
    path = folder / f"{study.name}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: {error}") from None
    named = {"protocol": study.protocol, "recipe": study.recipe, "fold": study.fold}
    for field, value in named.items():
        if record.get(field) != value:
            raise RecordError(f"{path}: {field} is {record.get(field)!r}; its name says {value!r}")
    return record
