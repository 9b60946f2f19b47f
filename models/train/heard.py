"""What a network that knows more music hears in windows (musicnn.py), as lessons for a student.

Twice: as an opinion about the label, which is read out of the embeddings of the training tracks, and as numbers that the
student learns to tell, too: the embeddings' principal components. Its own summary of a window has to hold them, and so
more than what tells 443 tracks apart. Both can be told of any music, whether anybody has said its label or not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import data

COMPONENTS = 48  # they hold 93 % of the variance
DECAY = 0.02  # of the weights that read labels out of embeddings: half of it times their squares


def load(folder: Path, part: data.Part, names: list[str], spacing: int) -> tuple[Tensor, str]:
    """The embeddings of every window of the part's grid, [windows, 200], and SHA-256 of them and of whose they are.
    `names` are those of the part's recordings in the folder: <genre>/<track>."""
    described = folder / "heard.json"
    if not described.is_file():
        raise data.DataError(f"{described} is missing: musicnn.py writes it")
    text = described.read_text(encoding="utf-8")
    made = json.loads(text)
    if made.get("frames") != part.windows.frames or spacing % made.get("spacing", spacing + 1):
        raise data.DataError(
            f"{folder}: windows of {made.get('frames')} frames every {made.get('spacing')}, wanted {part.windows.frames} "
            f"every {spacing}; make it again by musicnn.py"
        )
    tracks, starts = data.grid_windows(part, spacing)
    rows = []
    for index, name in enumerate(names):
        path = folder / f"{name}.npy"
        if not path.is_file():
            raise data.DataError(f"{path} is missing: go on with musicnn.py")
        found, wanted = np.load(path), starts[tracks == index] // made["spacing"]
        if len(found) != (len(part.features[index]) - part.windows.frames) // made["spacing"] + 1:
            raise data.DataError(f"{path} is not of this track's length; delete it and go on with musicnn.py")
        if not np.isfinite(found).all():
            raise data.DataError(f"{path} holds what isn't a number; delete it and go on with musicnn.py")
        rows.append(found[wanted].astype(np.float32))
    embeddings = np.concatenate(rows)
    digest = hashlib.sha256(text.encode() + embeddings.tobytes()).hexdigest()
    return torch.from_numpy(embeddings), digest


@dataclass(frozen=True)
class Scale:
    """How embeddings vary: what lessons are told in."""

    mean: Tensor
    deviation: Tensor
    vectors: Tensor  # principal components, [200, COMPONENTS]
    size: Tensor  # root mean square of the components

    @staticmethod
    def of(embeddings: Tensor) -> Scale:
        """As the embeddings of some windows, [windows, 200], vary."""
        deviation, mean = torch.std_mean(embeddings, 0)
        x = ((embeddings - mean) / (deviation + 1e-3)).double()
        _, vectors = torch.linalg.eigh(x.T @ x)
        vectors = vectors.flip(1)[:, :COMPONENTS]
        return Scale(mean, deviation, vectors, (x @ vectors).square().mean().sqrt())

    def standardized(self, embeddings: Tensor) -> Tensor:
        """Each dimension of mean 0 and deviation 1 over the windows that the scale is of."""
        return (embeddings - self.mean) / (self.deviation + 1e-3)

    def components(self, embeddings: Tensor) -> Tensor:
        """The first principal components, [windows, 48], their squares' mean 1; the first has the largest share of it."""
        return (self.standardized(embeddings).double() @ self.vectors / self.size).float()


class Readout:
    """Reads labels out of standardized embeddings: logistic regression, learned from windows whose label is known."""

    def __init__(self, embeddings: Tensor, targets: Tensor, labels: int) -> None:
        x = self._with_one(embeddings)
        self.weights = torch.zeros(x.shape[1], labels, dtype=torch.float64, requires_grad=True)
        search = torch.optim.LBFGS([self.weights], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            search.zero_grad()
            value = torch.nn.functional.cross_entropy(x @ self.weights, targets)
            value = value + DECAY * self.weights[:-1].square().sum()
            value.backward()
            return value

        search.step(loss)

    @torch.no_grad()
    def opinions(self, embeddings: Tensor) -> Tensor:
        """Probabilities of the labels, [windows, labels]."""
        return torch.softmax(self._with_one(embeddings) @ self.weights, 1).float()

    @staticmethod
    def _with_one(embeddings: Tensor) -> Tensor:
        return torch.cat([embeddings.double(), torch.ones(len(embeddings), 1, dtype=torch.float64)], 1)
