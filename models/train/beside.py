"""What a run trains on beside the recordings whose label it learns: music without labels, and what isn't music."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import data

UNLABELLED_SHARE = 0.5  # windows of music without labels, as a share of those with
NOT_MUSIC_SHARE = 0.15  # windows that aren't music, as a share of those that are


def cut_forms(forms: list[data.Part], form: np.ndarray, track: np.ndarray, start: np.ndarray, frames: int) -> Tensor:
    """Windows [n, frames, 128] of recordings that there are in several forms, each in its own: as they were, coded, in a
    room."""
    cut = torch.empty(len(track), frames, forms[0].features[0].shape[1])
    for number, part in enumerate(forms):
        mine = np.flatnonzero(form == number)
        cut[mine] = torch.from_numpy(data.cut(part, track[mine], start[mine], frames))
    return cut


class Unlabelled:
    """Music whose label nobody has told: what teachers think of it, and what musicnn hears in it, is all there is to
    learn."""

    def __init__(self, forms: list[data.Part], grid: tuple[np.ndarray, np.ndarray], lessons: Tensor, labels: int) -> None:
        self.forms, self.grid = forms, grid
        self.targets = torch.cat([lessons[:, :labels], lessons], 1)

    def beside(self, music: int, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Some windows of the grid beside so many of labelled music, and what is known of them."""
        chosen = rng.integers(0, len(self.grid[0]), round(music * UNLABELLED_SHARE))
        form = rng.integers(0, len(self.forms), len(chosen))
        return cut_forms(self.forms, form, self.grid[0][chosen], self.grid[1][chosen], frames), self.targets[chosen]


class NotMusic:
    """Every label is equally true of it, and no teacher knows better; what was heard in it nobody knows."""

    def __init__(self, part: data.Part, labels: int) -> None:
        self.part, self.labels = part, labels

    def beside(self, music: int, frames: int, columns: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Some windows beside so many of music, and targets with as many columns as theirs."""
        chosen = rng.integers(0, len(self.part.features), math.ceil(music * NOT_MUSIC_SHARE))
        room = np.array([max(0, len(self.part.features[i]) - frames) for i in chosen])
        other = torch.from_numpy(data.cut(self.part, chosen, rng.integers(0, room + 1), frames))
        even = torch.full((len(chosen), columns), 1 / self.labels)
        even[:, 2 * self.labels :] = torch.nan
        return other, even
