"""What musicnn hears in recordings: 200 numbers per window, for train.py --heard.

    heard/<genre>/<track>.npy   float32 [windows, 200], a window every `spacing` frames of the front-end
    heard/heard.json            spacing, frames of a window, SHA-256 of the weights

musicnn (J. Pons, X. Serra: musicnn: pre-trained convolutional neural networks for music audio tagging, 2019; ISC licence)
tells tags of music. Its network MTT_musicnn was trained on MagnaTagATune: clips of the label Magnatune, which began in
2003, while GTZAN's recordings were collected in 2000 and 2001. It is written down here again, for its own code wants a
TensorFlow of 2019; its weights are those of its authors, read from the package that they are published in, and the graph
that was published with them computes the same:

    MUSICNN_WEIGHTS=musicnn/MTT_musicnn python -m unittest \\
        test_heard.Hearing.test_the_published_graph_computes_the_same

    python models/train/musicnn.py --audio gtzan --features features --weights musicnn/MTT_musicnn --out heard
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import data
from network import frames_for
from recipe import Config
from table import find_recordings

RATE, HOP, FFT, MEL_BANDS = 16_000, 256, 512, 96
TIMBRAL = (0, 1)  # convolutions over 7 frames and 38 or 67 bands: numbers of their weights
TEMPORAL = (2, 3, 4)  # over 128, 64 or 32 frames of one band
MIDDLE = (5, 6, 7)  # over 7 frames of everything


class MusicnnError(Exception):
    """Weights or recordings cannot be read; the text says which."""


class Musicnn:
    """MTT_musicnn from the spectrogram to its last layer but one, from weights by their names in the checkpoint."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}

    def _of(self, layer: str, number: int, what: str) -> Tensor:
        return self.weights[f"{layer}_{number}/{what}" if number else f"{layer}/{what}"]

    def _norm(self, x: Tensor, number: int) -> Tensor:
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        return F.batch_norm(x, *(self._of("batch_normalization", number, name) for name in names), eps=1e-3)

    def _convolve(self, x: Tensor, number: int) -> Tensor:
        kernel = self._of("conv2d", number, "kernel").permute(3, 2, 0, 1)
        return self._norm(torch.relu(F.conv2d(x, kernel, self._of("conv2d", number, "bias"))), number + 1)

    def features(self, log_mel: Tensor) -> Tensor:
        """[T, 96] → [753, T]: what the pooling over time sees. Beyond both ends there is nothing, so that the outermost
        frames differ from those of a window that is cut out."""
        x = self._norm(log_mel[None, None], 0)
        found = [self._convolve(F.pad(x, (0, 0, 3, 3)), number).amax(3) for number in TIMBRAL]
        for number in TEMPORAL:
            beyond = len(self._of("conv2d", number, "kernel")) - 1
            found.append(self._convolve(F.pad(x, (0, 0, beyond // 2, beyond - beyond // 2)), number).amax(3))
        found = [torch.cat(found, 1)]
        for number in MIDDLE:
            seen = F.pad(found[-1].transpose(1, 2)[:, None], (0, 0, 3, 3))
            new = self._convolve(seen, number)[..., 0]
            found.append(new if number == MIDDLE[0] else new + found[-1])
        return torch.cat(found, 1)[0]

    @torch.no_grad()
    def embeddings(self, log_mel: Tensor, starts: list[int], frames: int) -> Tensor:
        """[T, 96] → [windows, 200], for windows of `frames` frames that begin at `starts`."""
        features = self.features(log_mel)
        windows = torch.stack([features[:, start : start + frames] for start in starts])
        pooled = self._norm(torch.stack([windows.amax(2), windows.mean(2)], 2).flatten(1), 9)
        dense = pooled @ self._of("dense", 0, "kernel") + self._of("dense", 0, "bias")
        return self._norm(torch.relu(dense), 10)


def read_weights(folder: Path) -> tuple[dict[str, np.ndarray], str]:
    """The checkpoint's weights, and SHA-256 of its bytes."""
    content = folder / ".data-00000-of-00001"
    if not content.is_file():
        raise MusicnnError(f"{folder} holds no checkpoint: requirements-musicnn.txt says where the weights come from")
    try:
        import tensorflow
    except ImportError:
        raise MusicnnError("TensorFlow is missing: pip install -r models/train/requirements-musicnn.txt") from None
    reader = tensorflow.compat.v1.train.NewCheckpointReader(f"{folder}/")
    names = [name for name in reader.get_variable_to_shape_map() if "Adam" not in name]
    return {name: reader.get_tensor(name) for name in names}, hashlib.sha256(content.read_bytes()).hexdigest()


def spectrogram(path: Path) -> Tensor:
    """[T, 96], as musicnn was trained on."""
    try:
        import librosa
    except ImportError:
        raise MusicnnError("librosa is missing: pip install -r models/train/requirements-musicnn.txt") from None
    sound, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=sound, sr=RATE, hop_length=HOP, n_fft=FFT, n_mels=MEL_BANDS)
    return torch.from_numpy(np.log10(10_000 * mel.T + 1).astype(np.float32))


def hear(model: Musicnn, recording: Path, frames: int, window: int, spacing: int, spec: dict) -> np.ndarray:
    """Of `frames` frames of our front-end: the embedding of every window of `window` frames on the grid."""
    pace = spec["hop"] / spec["rate_hz"] * RATE / HOP  # musicnn's frames per frame of ours
    log_mel, width = spectrogram(recording), round(window * pace)
    if len(log_mel) < width:
        raise MusicnnError(f"{recording} is shorter than a window")
    latest = len(log_mel) - width
    starts = [min(round(start * pace), latest) for start in range(0, frames - window + 1, spacing)]
    return model.embeddings(log_mel, starts, width).numpy()


def hear_all(args: argparse.Namespace) -> None:
    """Every recording that has features and none of ours yet."""
    spec = data.read_frontend(args.features).spec
    weights, sha256 = read_weights(args.weights)
    model, window = Musicnn(weights), frames_for(args.steps)
    args.out.mkdir(parents=True, exist_ok=True)
    made = {"spacing": args.spacing, "frames": window, "weights": sha256}
    described = args.out / "heard.json"
    if described.is_file() and json.loads(described.read_text(encoding="utf-8")) != made:
        raise MusicnnError(f"{args.out} was made otherwise; choose another --out")
    described.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    recordings = find_recordings(args.audio, MusicnnError)
    tracks, shown = sorted(args.features.glob("*/*.npy")), time.monotonic()
    for number, features in enumerate(tracks, 1):
        name = features.relative_to(args.features)
        out = args.out / name
        if out.is_file():
            continue
        recording = recordings.get((features.parent.name, features.stem))
        if recording is None:
            raise MusicnnError(f"{args.audio} has no recording {name.with_suffix('')}")
        frames = len(np.load(features, mmap_mode="r"))
        out.parent.mkdir(exist_ok=True)
        partial = out.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, hear(model, recording, frames, window, args.spacing, spec))
        partial.replace(out)
        if time.monotonic() - shown > 30:
            shown = time.monotonic()
            print(f"  {number} of {len(tracks)} recordings", flush=True)
    print(f"{args.out}: {len(tracks)} recordings")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write what musicnn hears in recordings, for train.py --heard. Run it again to go on.",
        epilog="example: python models/train/musicnn.py --audio gtzan --features features "
        "--weights musicnn/MTT_musicnn --out heard",
    )
    parser.add_argument("--audio", type=Path, required=True, metavar="DIR", help="recordings, <genre>/<track>")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="the same as harmonynet wrote them")
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR", help="of musicnn 0.1.0: MTT_musicnn")
    parser.add_argument("--spacing", type=int, default=Config.spacing, metavar="N", help="train.py's (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=Config.steps, metavar="N", help="train.py's (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processor threads (default: 1)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    try:
        hear_all(args)
    except (MusicnnError, data.DataError) as error:
        sys.exit(f"musicnn: {error}")
    except KeyboardInterrupt:
        sys.exit("musicnn: interrupted; run the same command to go on")


if __name__ == "__main__":
    main()
