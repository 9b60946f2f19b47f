"""Accuracy of a network on one part of the split, by excerpt and by track.

An excerpt is a window of the network's length (166 frames, 3.88 s, unless trained otherwise); windows start every 2 s
(88 frames of the shipped front-end). A track's verdict is the label with the
largest mean of log-probabilities over its excerpts: what a device does that smooths in the log domain. Prints
precision, recall and F1 per genre and a confusion matrix, and writes them to `<run>/evaluation-<part>.json`.

The test part is for the end, once: nothing may be chosen by it.

    python models/train/evaluate.py --run runs/main --features features --split gtzan.csv --part valid
"""

from __future__ import annotations

import threads  # isort: skip, before PyTorch

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

import data
from export import ExportError, load_run
from network import HarmonyNet, frames_for


@torch.no_grad()
def window_log_probabilities(
    model: HarmonyNet, part: data.Part, precision: torch.dtype = torch.float32, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities [windows, labels] of every evaluation window, and the track index of each."""
    model.eval()
    tracks, starts = data.evaluation_windows(part)
    rows = []
    for first in range(0, len(tracks), batch):
        chosen = slice(first, first + batch)
        x = torch.from_numpy(data.cut(part, tracks[chosen], starts[chosen], part.windows.frames))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            logits = model(x)
        rows.append(torch.log_softmax(logits.float(), 1).numpy())
    return np.concatenate(rows), tracks


def track_means(log_probabilities: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Mean log-probabilities per track, [tracks, labels]."""
    sums = np.zeros((tracks.max() + 1, log_probabilities.shape[1]))
    np.add.at(sums, tracks, log_probabilities)
    return sums / np.bincount(tracks)[:, None]


def figures(log_probabilities: np.ndarray, tracks: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Excerpt accuracy, track accuracy and the excerpts' mean negative log-likelihood."""
    truth = targets[tracks]
    return {
        "excerpt": float((log_probabilities.argmax(1) == truth).mean()),
        "track": float((track_means(log_probabilities, tracks).argmax(1) == targets).mean()),
        "loss": float(-log_probabilities[np.arange(len(truth)), truth].mean()),
    }


def confusion(predicted: np.ndarray, truth: np.ndarray, labels: int) -> np.ndarray:
    """Counts [truth, predicted]."""
    matrix = np.zeros((labels, labels), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def per_label(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of every label; zero where nothing was predicted or nothing was there."""
    hits = matrix.diagonal().astype(float)
    precision = hits / np.maximum(matrix.sum(0), 1)
    recall = hits / np.maximum(matrix.sum(1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {"precision": precision, "recall": recall, "f1": f1}


def fit_temperature(log_probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature that minimizes the negative log-likelihood of softmax(logits / temperature)."""

    def loss(temperature: float) -> float:
        scaled = log_probabilities / temperature
        scaled = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
        return float(-scaled[np.arange(len(truth)), truth].mean())

    grid = np.exp(np.linspace(np.log(0.25), np.log(4.0), 278))  # steps of one per cent
    return float(min(grid, key=loss))


def table(matrix: np.ndarray, labels: list[str]) -> str:
    """The paper's Table I (per cent) with a confusion matrix beside it: rows are the truth."""
    values = per_label(matrix)
    width = max(len(label) for label in labels)
    lines = [f"{'':{width}}  prec.  recall     F1   " + " ".join(f"{label[:5]:>5}" for label in labels)]
    for row, label in enumerate(labels):
        scores = "  ".join(f"{100 * values[name][row]:5.1f}" for name in ("precision", "recall", "f1"))
        lines.append(f"{label:{width}}  {scores}   " + " ".join(f"{count:5d}" for count in matrix[row]))
    return "\n".join(lines)


def evaluate(run: Path, features: Path, split: Path | None, column: str, part_name: str) -> dict:
    """Evaluates a run's best network; the record holds aggregate figures only."""
    frontend = data.read_frontend(features)
    trained = json.loads((run / "training.json").read_text(encoding="utf-8"))
    if trained["frontend"]["fingerprint"] != frontend.fingerprint:
        raise data.DataError(
            f"{features}: fingerprint {frontend.fingerprint}; trained on {trained['frontend']['fingerprint']}"
        )
    model, labels = load_run(run)
    entries = data.read_split(split, column, features) if split else data.split_by_hash(features)
    if trained["data"]["sha256"] != data.data_hash(entries):
        raise data.DataError("this is not the split that the run was trained with: the data hash differs")
    windows = data.Windows(frames_for(model.steps), frontend.evaluation_hop)
    part = data.load_part(features, entries, part_name, labels, windows)
    log_probabilities, tracks = window_log_probabilities(model, part)
    by_track = confusion(track_means(log_probabilities, tracks).argmax(1), part.targets, len(labels))
    by_excerpt = confusion(log_probabilities.argmax(1), part.targets[tracks], len(labels))
    return {
        "part": part_name,
        "tracks": len(part.tracks),
        "excerpts": len(tracks),
        "figures": figures(log_probabilities, tracks, part.targets),
        "temperature": fit_temperature(log_probabilities, part.targets[tracks]) if part_name == "valid" else None,
        "labels": labels,
        "confusion_track": by_track.tolist(),
        "confusion_excerpt": by_excerpt.tolist(),
    }


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where features and split are."""
    parser.add_argument(
        "--features", type=Path, required=True, metavar="DIR", help="folder of <genre>/<track>.npy and frontend.json"
    )
    parser.add_argument(
        "--split",
        type=Path,
        metavar="CSV",
        help="columns track, [genre], [artist] and a part; without it 70/15/15 per cent by a hash of the name",
    )
    parser.add_argument(
        "--split-column",
        default="fault_filtered_split",
        metavar="NAME",
        help="column of parts: train, valid, test, anything else = left out (default: %(default)s)",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Accuracy of a run's best network on one part of the split.",
        epilog="example: python models/train/evaluate.py --run runs/main --features features --split gtzan.csv",
    )
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder written by train.py")
    parser.add_argument("--part", choices=data.PARTS, default="valid", help="part of the split (default: valid)")
    add_data_arguments(parser)
    threads.add_argument(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    try:
        record = evaluate(args.run, args.features, args.split, args.split_column, args.part)
    except (data.DataError, ExportError) as error:
        sys.exit(f"evaluate: {error}")
    out = args.run / f"evaluation-{args.part}.json"
    out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"by track ({record['tracks']}):\n{table(np.array(record['confusion_track']), record['labels'])}")
    print(f"\nby excerpt ({record['excerpts']}):\n{table(np.array(record['confusion_excerpt']), record['labels'])}")
    scores = record["figures"]
    print(f"\n{args.part}: track {scores['track']:.3f}, excerpt {scores['excerpt']:.3f}, loss {scores['loss']:.3f}")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
