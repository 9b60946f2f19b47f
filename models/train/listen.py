"""Trains the shipped network to tell what musicnn hears in music whose label nobody knows: one run folder out, for
train.py --begin-with.

A few hundred labelled recordings teach a network their artists as readily as their genres. One that can already tell what
matters in much other music has less to learn from them, and every split of the labelled ones may begin with it, because it
knows none of them.

    python models/train/listen.py --unlabelled coded-features original-features --heard heard --run runs/listener
    python models/train/train.py … --begin-with runs/listener --run runs/main

The run folder is that of train.py, and a run goes on likewise after its last finished epoch. One recording in twenty is not
trained on: `told` is the share of the variance of what is heard in these that the network tells.
"""

from __future__ import annotations

import threads  # isort: skip, before PyTorch

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

import data
import heard
from network import frames_for
from recipe import NO_LABELS, Config, TrainError
from runs import check_same, new_record
from trainer import ASKED_AT_ONCE, Parts, Trainer, run_epochs

HELD_OUT = 20  # one recording in so many
LISTENER = replace(
    Config(), teachers="", teaching=0.0, imitation=1.0, spacing=44, epochs=6, rate=2e-3, dropout=0.1, smoothing=0.0,
    augmentation="rooms",
)  # fmt: skip
OPTIONS = ("spacing", "epochs", "steps", "batch", "rate", "dropout", "seed")  # fields that are options here


class Listener(Trainer):
    """A student without labels: there is one that is always true, and what is heard is all there is to learn."""

    def __init__(self, config: Config, parts: Parts, held_out: torch.Tensor, run: Path) -> None:
        super().__init__(config, parts, list(NO_LABELS), run)
        self.told = heard.Scale.of(parts.heard).components(held_out)
        self.valid_grid = data.grid_windows(self.valid, config.spacing)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """How well the averaged network's summary and the imitator tell what is heard in the recordings held out."""
        self.imitator.eval()
        tracks, starts = self.valid_grid
        wrong = 0.0
        for first in range(0, len(tracks), ASKED_AT_ONCE):
            some = slice(first, first + ASKED_AT_ONCE)
            x = torch.from_numpy(data.cut(self.valid, tracks[some], starts[some], frames_for(self.config.steps)))
            with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == torch.bfloat16):
                summary = self.averaged.model.summary(x)
            wrong += float((self.imitator(summary.float()) - self.told[some]).square().sum())
        variance = float((self.told - self.told.mean(0)).square().sum())
        return {"told": 1 - wrong / variance, "loss": wrong / self.told.numel()}

    def score(self, valid: dict[str, float]) -> float:
        """What the best epoch has most of."""
        return valid["told"]

    def measured(self) -> dict[str, object]:
        """Nothing more: what the best epoch's imitator told is known, and the imitator is left behind."""
        return {}


def some_of(part: data.Part, chosen: np.ndarray) -> data.Part:
    """Some recordings of a part."""
    features, names = [part.features[i] for i in chosen], [part.tracks[i] for i in chosen]
    return data.Part(features, part.targets[chosen], names, part.windows)


def listen(config: Config, folders: list[Path], heard_in: Path, run: Path, stop_after: int | None = None) -> Listener:
    """Runs or continues a listener's training; `stop_after` ends this call after so many epochs."""
    frontend = data.read_frontend(folders[0])
    windows = data.Windows(frames_for(config.steps), frontend.evaluation_hop)
    forms, sha256 = data.load_unlabelled(folders, frontend, windows)
    everything = np.arange(len(forms[0].tracks))
    trained, held_out = everything[everything % HELD_OUT != 0], everything[everything % HELD_OUT == 0]
    first, *others = (some_of(form, trained) for form in forms)
    valid = some_of(forms[0], held_out)
    in_these, digest = heard.load(heard_in, first, first.tracks, config.spacing)
    in_those, _ = heard.load(heard_in, valid, valid.tracks, config.spacing)
    parts = Parts(first, valid, None, frontend.spec, others, in_these)
    print(f"{len(trained)} recordings to train on, {len(held_out)} held out, {torch.get_num_threads()} threads", flush=True)
    entries = [
        data.Entry(Path(name).name, Path(name).parent.name, part)
        for names, part in ((first.tracks, "train"), (valid.tracks, "valid"))
        for name in names
    ]
    record = new_record(
        config, frontend, entries, list(NO_LABELS), {"unlabelled": sha256, "heard_unlabelled": digest}
    )
    check_same(run, record)
    run.mkdir(parents=True, exist_ok=True)
    trainer = Listener(config, parts, in_those, run)
    trainer.resume()
    run_epochs(trainer, record, stop_after)
    return trainer


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Config]:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Train the network to tell what musicnn hears in music without labels. Run it again to go on.",
        epilog="example: python models/train/listen.py --unlabelled coded-features original-features --heard heard "
        "--run runs/listener",
    )
    parser.add_argument(
        "--unlabelled", type=Path, nargs="+", required=True, metavar="DIR",
        help="features of music without labels, a folder per form of it (see collect.py)",
    )  # fmt: skip
    parser.add_argument("--heard", type=Path, required=True, metavar="DIR", help="what musicnn hears in it (see musicnn.py)")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder, made or continued")
    parser.add_argument("--stop-after", type=int, metavar="N", help="end this call after N epochs; run again to go on")
    for option in (option for option in fields(Config) if option.name in OPTIONS):
        default = getattr(LISTENER, option.name)
        parser.add_argument(
            f"--{option.name}", type=type(default), default=default, metavar=type(default).__name__.upper(),
            help="as train.py's (default: %(default)s)",
        )  # fmt: skip
    threads.add_argument(parser)
    args = parser.parse_args(arguments)
    return args, replace(LISTENER, **{name: getattr(args, name) for name in OPTIONS})


def main() -> None:
    args, config = parse()
    torch.set_num_threads(args.threads)
    try:
        trainer = listen(config, args.unlabelled, args.heard, args.run, args.stop_after)
    except (data.DataError, TrainError) as error:
        sys.exit(f"listen: {error}")
    except KeyboardInterrupt:
        sys.exit("listen: interrupted; run the same command to go on after the last finished epoch")
    if trainer.best is not None:
        print(f"best epoch {trainer.best['epoch']}: tells {trainer.best['told']:.3f} of what is heard")


if __name__ == "__main__":
    main()
