"""Networks that teach: they see what the shipped network sees, are trained on the same training part, and err elsewhere.

    statistics   about 600 numbers that summarize a window (cepstrum, contrast, rhythm) → two dense layers
    pooled       four convolutions on every third frame → mean, largest and spread over time and bands → dense
    coarse       the shipped network on every third frame

A small set of recordings teaches a convolutional network its artists as readily as its genres. Statistics of a window
hold less of an artist, and the mean of both kinds is right more often than either. The student learns that mean on the
disturbed and mixed windows that it is trained on. None of these is ever exported.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from network import MEL_BANDS, Dropout, HarmonyNet

HOP = 1536  # samples from one frame that a teacher looks at to the next
CEPSTRUM = 24
RHYTHM_EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22)  # bins of a window's spectrum over time, 0.26 Hz wide


class Statistics(nn.Module):
    """Window statistics → dense 192 → logits."""

    def __init__(self, labels: int, stride: int, hidden: int = 192) -> None:
        super().__init__()
        self.stride = stride
        order, band = torch.arange(CEPSTRUM)[:, None], torch.arange(MEL_BANDS) + 0.5
        cosines = torch.cos(math.pi * order * band / MEL_BANDS) * math.sqrt(2 / MEL_BANDS)
        self.register_buffer("cosines", cosines.T)
        groups, rhythm = MEL_BANDS // 8, len(RHYTHM_EDGES) - 1
        inputs = 4 * CEPSTRUM + (MEL_BANDS - 8) + groups + (groups - 1) + rhythm * groups
        self.standard = nn.BatchNorm1d(inputs, affine=False, momentum=0.02)
        self.hidden = nn.Linear(inputs, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.dense = nn.Linear(hidden, labels)
        self.drop_inputs, self.drop = nn.Dropout(0.2), nn.Dropout(0.5)

    def statistics(self, x: Tensor) -> Tensor:
        """[N, T, 128] octaves → [N, inputs]."""
        cepstrum = x @ self.cosines
        steps = cepstrum.diff(dim=1)
        memory = (cepstrum[:, 1:] * cepstrum[:, :-1]).mean(1) / (cepstrum.square().mean(1) + 1e-3)
        contrast = x.diff(dim=2).abs().mean(1)[:, : MEL_BANDS - 8].unflatten(1, (-1, 8)).mean(2)
        roughness = x.diff(n=2, dim=1).abs().mean(1).unflatten(1, (-1, 8)).mean(2)
        parts = [cepstrum.mean(1), cepstrum.std(1), steps.std(1), memory, x.std(1)[:, : MEL_BANDS - 8]]
        return torch.cat([*parts, roughness, contrast, self.rhythm(x)], 1)

    def rhythm(self, x: Tensor) -> Tensor:
        """How fast groups of eight bands swell and fade: log power over modulation frequency, [N, 10 · 16]."""
        groups = x.unflatten(2, (-1, 8)).mean(3)
        window = torch.hann_window(x.shape[1])[:, None]
        power = torch.fft.rfft((groups - groups.mean(1, keepdim=True)) * window, dim=1).abs().square()
        bands = [power[:, low:high].mean(1) for low, high in zip(RHYTHM_EDGES, RHYTHM_EDGES[1:])]
        return torch.stack(bands, 1).add(1e-2).log().flatten(1)

    def forward(self, log_mel: Tensor) -> Tensor:
        """[N, T, 128] octaves → logits [N, labels]."""
        with torch.autocast("cpu", enabled=False):
            x = self.drop_inputs(self.standard(self.statistics(log_mel[:, :: self.stride].float())))
            return self.dense(self.drop(torch.relu(self.norm(self.hidden(x)))))


class Pooled(nn.Module):
    """Convolutions whose features are pooled over all bands too, so that there is little to know an artist by."""

    CHANNELS = (32, 64, 128, 256)
    POOLS = ((2, 2), (2, 2), (1, 2), (2, 2))  # frames, bands

    def __init__(self, labels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.stride = stride
        layers: list[nn.Module] = []
        for inputs, outputs, pool in zip((1, *self.CHANNELS), self.CHANNELS, self.POOLS):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
            layers += [nn.MaxPool2d(pool), nn.ReLU(), Dropout(dropout)]
        self.blocks = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.drop = nn.Dropout(0.3)
        self.dense = nn.Linear(3 * self.CHANNELS[-1], labels)

    def forward(self, log_mel: Tensor) -> Tensor:
        """[N, T, 128] octaves → logits [N, labels]."""
        x = self.blocks(log_mel[:, :: self.stride].unsqueeze(1)).float()
        over_time = x.mean(2)
        with torch.autocast("cpu", enabled=False):
            pooled = torch.cat([over_time.mean(2), over_time.amax(2), x.std(2).mean(2)], 1)
            return self.dense(self.drop(pooled))


class Coarse(HarmonyNet):
    """The shipped network on every third frame: a third of its work."""

    def __init__(self, labels: int, stride: int, dropout: float) -> None:
        super().__init__(labels, "mean", dropout)
        self.blocks.to(memory_format=torch.channels_last)
        self.stride = stride

    def forward(self, log_mel: Tensor) -> Tensor:
        """[N, T, 128] octaves → logits [N, labels]."""
        return super().forward(log_mel[:, :: self.stride].contiguous())
