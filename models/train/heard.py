"""What a network that knows more music hears in the training windows (musicnn.py), as lessons for a student.

Twice: as an opinion about the label, which is read out of the embeddings of the training tracks, and as numbers that the
student learns to tell, too: the embeddings' principal components. Its own summary of a window has to hold them, and so
more than what tells 443 tracks apart.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import data

COMPONENTS = 48  # they hold 93 % of the variance
DECAY = 0.02  # of the weights that read labels out of embeddings: half of it times their squares


def load(folder: Path, part: data.Part, labels: list[str], spacing: int) -> tuple[Tensor, str]:
    """The embeddings of every window of the part's grid, [windows, 200], each dimension of mean 0 and deviation 1; and
    SHA-256 of them and of whose they are."""
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
    for index, name in enumerate(part.tracks):
        path = folder / labels[part.targets[index]] / f"{name}.npy"
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
    deviation, mean = torch.std_mean(torch.from_numpy(embeddings), 0)
    return (torch.from_numpy(embeddings) - mean) / (deviation + 1e-3), digest


def components(embeddings: Tensor) -> Tensor:
    """The first principal components of standardized embeddings, [windows, 48], their squares' mean 1; the first has the
    largest share of it."""
    x = embeddings.double()
    _, vectors = torch.linalg.eigh(x.T @ x)
    found = x @ vectors.flip(1)[:, :COMPONENTS]
    return (found / found.square().mean().sqrt()).float()


def opinions(embeddings: Tensor, targets: Tensor, labels: int) -> Tensor:
    """Probabilities of the labels, [windows, labels]: logistic regression on standardized embeddings."""
    x = torch.cat([embeddings.double(), torch.ones(len(embeddings), 1, dtype=torch.float64)], 1)
    weights = torch.zeros(x.shape[1], labels, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ weights, targets) + DECAY * weights[:-1].square().sum()
        value.backward()
        return value

    search.step(loss)
    with torch.no_grad():
        return torch.softmax(x @ weights, 1).float()
