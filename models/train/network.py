"""The paper's network under the streaming contract.

    log_mel [N, T, 128] octaves
      → [N, 1, T, 128] → 3 × (conv 3×3 → batch norm → ReLU → max-pool 2×2 → dropout), 32 / 64 / 128 channels
      → [N, 128, steps, 16] → [N, steps, 2048], feature index = channel · 16 + band
      → LSTM 64 from a zero state → mean over the steps (or the last step) → dropout → dense → logits [N, labels]

or, to measure what the LSTM is worth, without it: dropout → dense on every step → mean over the steps.

Convolutions are zero-padded in frequency and unpadded in time, poolings round down. So no value depends on where a
window was cut out of a stream, and n steps need exactly 8·n + 14 frames. The constants below repeat `src/spec.rs`; 19
steps are the default, another number is an argument.

Not here: what the numbers in a frame mean (that is the front-end's specification), data, or training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEL_BANDS = 128
FRAMES_PER_STEP = 8
RECEPTIVE_MARGIN = 14
WINDOW_STEPS = 19
WINDOW_FRAMES = FRAMES_PER_STEP * WINDOW_STEPS + RECEPTIVE_MARGIN
HOP = 512  # samples from frame to frame of the shipped front-end
HOP_FRAMES = 88  # 2 s of hop (86.13 frames), rounded to a multiple of FRAMES_PER_STEP

CHANNELS = (32, 64, 128)
LSTM_UNITS = 64
LSTM_INPUTS = CHANNELS[-1] * (MEL_BANDS // 8)
READOUTS = ("mean", "last", "none")
NORMALIZATIONS = ("none", "excerpt")


def frames_for(steps: int) -> int:
    """Frames that `steps` LSTM steps need."""
    return FRAMES_PER_STEP * steps + RECEPTIVE_MARGIN


def steps_for(frames: int) -> int:
    """LSTM steps that `frames` frames give; zero where they are too few for one."""
    return max(0, (frames - RECEPTIVE_MARGIN) // FRAMES_PER_STEP)


class Dropout(nn.Module):
    """Dropout from random bytes, eight per draw: `nn.Dropout` costs as much as the convolutions on a CPU.

    The probability is rounded to 1/256."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.dropped = round(probability * 256)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.dropped == 0:
            return x
        draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = draws.view(torch.uint8)[: x.numel()] >= self.dropped
        scale = keep.to(x.dtype).mul_(256 / (256 - self.dropped))
        if x.ndim == 4:  # laid out like the channels-last activations that it meets
            n, c, h, w = x.shape
            return x * scale.view(n, h, w, c).permute(0, 3, 1, 2)
        return x * scale.view(x.shape)


class Block(nn.Module):
    """Convolution, batch norm, ReLU, max-pool, dropout. The batch norm makes a bias of the convolution redundant."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, padding=(0, 1), bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(2)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        # ReLU after the pooling instead of before it: the same numbers, at a quarter of the work.
        return self.drop(torch.relu(self.pool(self.norm(self.conv(x)))))


class HarmonyNet(nn.Module):
    """Window of log-mel frames in, logits out.

    `readout` is "mean" (over the LSTM's outputs), "last" (the paper's) or "none" (no LSTM). `normalize="excerpt"`
    standardizes every window by its own mean and deviation: a reference measurement only, because it changes every
    frame with every window and therefore cannot stream; the exporter refuses it. `steps` is the length of the windows
    that it is meant for; the weights fit any.
    """

    def __init__(
        self,
        labels: int,
        readout: str = "mean",
        dropout: float = 0.3,
        normalize: str = "none",
        steps: int = WINDOW_STEPS,
    ) -> None:
        super().__init__()
        if readout not in READOUTS:
            raise ValueError(f"readout is {readout!r}; allowed: {', '.join(READOUTS)}")
        if normalize not in NORMALIZATIONS:
            raise ValueError(f"normalize is {normalize!r}; allowed: {', '.join(NORMALIZATIONS)}")
        self.readout = readout
        self.normalize = normalize
        self.steps = steps
        inputs = (1, *CHANNELS[:-1])
        self.blocks = nn.ModuleList(Block(i, o, dropout) for i, o in zip(inputs, CHANNELS))
        self.lstm = None if readout == "none" else nn.LSTM(LSTM_INPUTS, LSTM_UNITS, batch_first=True)
        self.drop = Dropout(dropout)
        self.dense = nn.Linear(LSTM_INPUTS if self.lstm is None else LSTM_UNITS, labels)

    def features(self, log_mel: Tensor) -> Tensor:
        """[N, T, 128] octaves → [N, steps, 2048]: what the LSTM sees."""
        x = log_mel.unsqueeze(1)
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2).flatten(2)

    def summary(self, log_mel: Tensor) -> Tensor:
        """[N, T, 128] octaves → [N, 64]: what the labels are read out of, dropout included. Under autocast only the
        convolutions run in bfloat16. Without LSTM it is [N, steps, 2048]."""
        if self.normalize == "excerpt":
            deviation, mean = torch.std_mean(log_mel, dim=(1, 2), keepdim=True)
            log_mel = (log_mel - mean) / (deviation + 1e-3)
        steps = self.features(log_mel)
        with torch.autocast("cpu", enabled=False):
            steps = steps.float().contiguous()
            if self.lstm is None:
                return self.drop(steps)
            outputs, _ = self.lstm(steps)
        return self.drop(outputs.mean(1) if self.readout == "mean" else outputs[:, -1])

    def logits(self, summary: Tensor) -> Tensor:
        """What `summary` gave → logits [N, labels]."""
        if self.lstm is None:
            with torch.autocast("cpu", enabled=False):
                return self.dense(summary).mean(1)
        return self.dense(summary)

    def forward(self, log_mel: Tensor) -> Tensor:
        """[N, T, 128] octaves → logits [N, labels]."""
        return self.logits(self.summary(log_mel))


def parameter_count(model: nn.Module) -> int:
    """Trained numbers: 634,730 for ten labels, of which 256 are the second of the LSTM's two bias vectors;
    113,386 without LSTM."""
    return sum(p.numel() for p in model.parameters())
