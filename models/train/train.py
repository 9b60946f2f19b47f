"""Trains the network on features that the front-end wrote: features in, one run folder out.

    runs/<name>/training.json   configuration, front-end, hashes of data and code, figures (validation only)
    runs/<name>/log.jsonl       one line per epoch
    runs/<name>/split.csv       who was trained on, where no split was given
    runs/<name>/best.pt         the averaged network of the best epoch: what export.py and evaluate.py read
    runs/<name>/last.pt         everything needed to go on after an interruption
    runs/<name>/beginning/      the same of the network that a student begins as, which is trained first
    runs/<name>/teacher-1-…     the same of every teacher
    runs/<name>/opinions.pt     the teachers' mean probabilities of every window

Started again with the same configuration, a run goes on after its last finished epoch and ends as if it had never been
interrupted: every epoch seeds its own random numbers. The test part of the split is never read here.

The best epoch is the one with the largest mean of excerpt and track accuracy on the validation part, measured with the
exponential moving average of the weights.

Teachers are networks of other kinds (teachers.py), trained on the same part of the split, but without rooms. They are
asked once about every window as it was recorded. The student begins as the network that the paper's recipe makes; it
hears those windows as a device in a room would, and most of its target is the mean of its teachers' opinions. With --heard
it learns besides what a network hears in them that knows more music (heard.py).
"""

from __future__ import annotations

import threads  # isort: skip, before PyTorch

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import nn

import augment
import data
import heard
from evaluate import add_data_arguments
from network import HOP, NORMALIZATIONS, READOUTS, WINDOW_STEPS, HarmonyNet, frames_for, steps_for
from recipe import (
    NO_LABELS,
    PAPER,
    RECIPES,
    TEACHERS,
    Config,
    TrainError,
    beginning_config,
    disturbances,
    network_for,
    teacher_configs,
)
from runs import check_same, difference, finished_record, new_record
from trainer import Parts, Trainer, grid_spacing, run_epochs, weights_hash

SHOWN_ARTISTS = 5


@dataclass(frozen=True)
class Source:
    """Where the data are: features, the split's file and column, features of what isn't music, and of the training
    tracks in rooms, a folder per take; and networks that were made before."""

    features: Path
    split: Path | None = None
    column: str = "fault_filtered_split"
    not_music: Path | None = None
    rooms: tuple[Path, ...] = ()
    teachers_of: Path | None = None  # another run, whose finished teachers teach here too
    heard: Path | None = None  # what another network hears in the same tracks (musicnn.py)
    begin_with: Path | None = None  # a finished run or a package, whose network a student begins as
    unlabelled: tuple[Path, ...] = ()  # music whose label nobody knows, a folder per form of it


def hint_at_hop(config: Config, spec: dict) -> None:
    """Tells which options make windows as long and as close as the shipped model's of frames that are further apart, or
    closer, where they are of quite another length."""
    hop, shipped = spec["hop"], frames_for(WINDOW_STEPS) * HOP
    samples = frames_for(config.steps) * hop
    if hop != HOP and not 2 / 3 < samples / shipped < 1.5:
        steps, spacing = max(1, steps_for(shipped // hop)), max(1, round(Config.spacing * HOP / hop))
        print(
            f"note: windows of {samples / spec['rate_hz']:.1f} s; --steps {steps} --spacing {spacing} make them as long and "
            "as close as the shipped model's",
            flush=True,
        )


def check_teacher(run: Path, record: dict) -> None:
    """Refuses a teacher that isn't finished, or was made otherwise or of other sounds. Its code may be an earlier one,
    whose record names rooms that it didn't hear: what it knows is as good."""
    old = finished_record(run)
    sounds = {**record["data"], "rooms": old["data"].get("rooms")}
    if found := difference(old, {**record, "data": sounds}, ("configuration", "frontend", "data")):
        raise TrainError(f"{run}: {found}; leave out --teachers-of, and it is trained here")


def check_beginning(run: Path, record: dict) -> None:
    """Refuses a network that isn't finished, is of another shape, or knows other recordings, if it knows any label. How
    long it has been trained, and what it heard beside them, is its own matter."""
    old = finished_record(run)
    if (old["configuration"]["readout"] == "none") != (record["configuration"]["readout"] == "none"):
        raise TrainError(f"{run}: has {'no' if old['configuration']['readout'] == 'none' else 'an'} LSTM; choose another")
    wanted = {
        "configuration": {field: record["configuration"][field] for field in ("network", "steps", "normalize")},
        "frontend": record["frontend"],
    }
    if old["labels"] != list(NO_LABELS):
        recordings = {field: value for field, value in record["data"].items() if field not in ("not_music", "rooms")}
        wanted["data"] = recordings
    if found := difference(old, wanted, tuple(wanted)):
        raise TrainError(f"{run}: {found}; leave out --begin-with, and a beginning is trained here")


def new_last_layer(model: HarmonyNet, record: dict) -> None:
    """For other labels than those that the network knows."""
    torch.manual_seed(record["configuration"]["seed"])
    model.dense = nn.Linear(model.dense.in_features, len(record["labels"]))


def network_of_package(package: Path, record: dict, dropout: float) -> nn.Module:
    """The network of a package's float graph, to begin with. Its windows may have been longer or shorter, its frames
    closer; for other labels its last layer begins anew."""
    import export  # wants onnx, which nothing else here does

    old, graph = finished_record(package), package / "float.onnx"
    try:
        model = export.read_graph(graph, dropout)
    except export.ExportError as error:
        raise TrainError(str(error)) from None
    if (model.readout == "none") != (record["configuration"]["readout"] == "none"):
        raise TrainError(f"{graph}: has {'no' if model.readout == 'none' else 'an'} LSTM; choose another")
    for field, value in record["frontend"]["spec"].items():
        if field not in ("hop", "level") and (there := old["frontend"]["spec"].get(field)) != value:
            raise TrainError(f"{package}: frontend.spec.{field} was {there!r} and is now {value!r}; choose another")
    if old["labels"] != record["labels"]:
        new_last_layer(model, record)
        print(f"note: {package} knows other labels; its last layer begins anew", flush=True)
    if old["data"]["sha256"] != record["data"]["sha256"]:
        print(
            f"note: {package} was trained on another split: accuracy on what it knows already is partly memory", flush=True
        )
    return model


def train(config: Config, source: Source, run: Path, stop_after: int | None = None) -> Trainer:
    """Runs or continues a training, its teachers' first; `stop_after` ends every training of this call after so many
    epochs."""
    features, split, column = source.features, source.split, source.column
    frontend = data.read_frontend(features)
    entries = data.read_split(split, column, features) if split else data.split_by_hash(features)
    if split is None:
        print("warning: no --split: tracks of one artist may be in two parts, which overstates accuracy", flush=True)
    if config.windows == "random" and any(entry.excerpt is not None for entry in entries):
        raise TrainError("windows at random positions would cut through a split by excerpts; use --windows grid")
    shared = data.shared_artists(entries)
    for artist, parts in list(shared.items())[:SHOWN_ARTISTS]:
        print(f"warning: {artist} is in {' and '.join(parts)}: accuracy is partly memory", flush=True)
    if len(shared) > SHOWN_ARTISTS:
        print(f"warning: so are {len(shared) - SHOWN_ARTISTS} more artists", flush=True)
    hint_at_hop(config, frontend.spec)
    labels = data.labels_of(entries)
    windows = data.Windows(frames_for(config.steps), frontend.evaluation_hop)
    train_part, valid = (data.load_part(features, entries, part, labels, windows) for part in ("train", "valid"))
    parts = Parts(train_part, valid, None, frontend.spec)
    others: dict[str, object] = {"not_music": None, "rooms": []}
    if source.not_music:
        parts.not_music, others["not_music"] = data.load_not_music(source.not_music, frontend, windows)
    else:
        print("note: no --not-music: the network will take speech and noise for one of its labels", flush=True)
    if source.rooms:
        settings = disturbances(config, frontend.spec)
        if settings.stretch or settings.shift:
            raise TrainError("rooms and windows stretched at random don't go together; choose another --augmentation")
        takes = [data.load_take(folder, frontend, train_part, labels) for folder in source.rooms]
        parts.rooms, others["rooms"] = [take for take, _ in takes], [sha256 for _, sha256 in takes]
    lessons = teacher_configs(config)
    if source.heard and config.readout == "none":
        raise TrainError("--heard is for students, which have an LSTM; leave it out")
    if source.heard:
        spacing = grid_spacing(config, train_part, student=True)
        names = [f"{labels[target]}/{track}" for target, track in zip(train_part.targets, train_part.tracks)]
        parts.heard, others["heard"] = heard.load(source.heard, train_part, names, spacing)
    if source.unlabelled:
        if not source.heard:
            raise TrainError("--unlabelled is learned from by what is heard in it; give --heard, too")
        parts.unlabelled, others["unlabelled"] = data.load_unlabelled(source.unlabelled, frontend, windows)
        first = parts.unlabelled[0]
        parts.heard_unlabelled, others["heard_unlabelled"] = heard.load(source.heard, first, first.tracks, spacing)
    print(
        f"{len(train_part.tracks)} tracks to train on, {len(valid.tracks)} to validate, {len(labels)} labels, "
        f"{torch.get_num_threads()} threads",
        flush=True,
    )

    def described(config: Config, parts: Parts) -> dict:
        not_music = others["not_music"] if parts.not_music else None
        used = {"not_music": not_music, "rooms": others["rooms"] if parts.rooms else []}
        if parts.heard is not None:
            used |= {name: others[name] for name in ("heard", "unlabelled", "heard_unlabelled") if name in others}
        return new_record(config, frontend, entries, labels, used)

    def network_of(config: Config, run: Path) -> nn.Module:
        saved = torch.load(run / "best.pt", map_location="cpu", weights_only=True)
        model = network_for(config, len(saved["labels"]), frontend.spec["hop"])
        model.load_state_dict(saved["model"])
        if saved["labels"] == list(NO_LABELS):
            new_last_layer(model, described(config, music))
        return model.eval()

    def one(
        config: Config, parts: Parts, run: Path, begin: nn.Module | None = None, taught: Sequence[nn.Module] = ()
    ) -> Trainer:
        record = described(config, parts)
        if begin:
            record["data"]["begun_with"] = weights_hash([begin])
        if taught:
            record["data"]["taught_by"] = weights_hash(taught)
        check_same(run, record)
        run.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(config, parts, labels, run, taught)
        if begin:
            trainer.begin_as(begin)
        trainer.resume()
        run_epochs(trainer, record, stop_after)
        return trainer

    def beginning() -> nn.Module | Trainer | None:
        """What the student begins as; the beginning's own training, where this call ended before that was finished."""
        first, folder = beginning_config(config), source.begin_with or run / "beginning"
        if source.begin_with and (folder / "manifest.toml").is_file():
            return network_of_package(folder, described(first, music), config.dropout)
        if source.begin_with:
            check_beginning(folder, described(first, music))
        elif not (lessons or source.heard):
            return None
        elif not (trainer := one(first, music, folder)).finished:
            return trainer
        return network_of(first, folder)

    recorded = replace(parts, rooms=[], heard=None, unlabelled=[], heard_unlabelled=None)
    music = replace(recorded, not_music=None)
    begin = beginning()
    if isinstance(begin, Trainer):
        return begin
    taught = []
    for name, teaching in lessons.items():
        folder = (source.teachers_of or run) / name
        if source.teachers_of:
            check_teacher(folder, described(teaching, recorded))
        elif not (teacher := one(teaching, recorded, folder)).finished:
            return teacher
        taught.append(network_of(teaching, folder))
    trainer = one(config, parts, run, begin, taught)
    if split is None:
        made = run / "split.csv"
        made.write_text(data.split_csv(entries), encoding="utf-8")
        print(f"note: for quantize and evaluate: --split {made} --split-column part", flush=True)
    return trainer


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Config]:
    """The command line: a recipe, and fields of it that are changed."""
    parser = argparse.ArgumentParser(
        description="Train the network on features that `harmonynet features` wrote. Run it again to go on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  python models/train/train.py --features features --split gtzan.csv --run runs/main
  python models/train/train.py --features features --split gtzan.csv --run runs/paper --recipe paper
  python models/train/train.py --features my-genres --run runs/mine --epochs 10""",
    )
    add_data_arguments(parser)
    threads.add_argument(parser)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="run folder, made or continued")
    parser.add_argument("--recipe", choices=RECIPES, default="shipped", help="whence the defaults (default: shipped)")
    parser.add_argument("--stop-after", type=int, metavar="N", help="end this call after N epochs; run again to go on")
    parser.add_argument(
        "--not-music", type=Path, metavar="DIR", help="features of sounds that aren't music (see negatives.py)"
    )
    parser.add_argument(
        "--rooms", type=Path, nargs="+", default=[], metavar="DIR", help="features of takes in rooms (see rooms.py)"
    )
    parser.add_argument(
        "--teachers-of", type=Path, metavar="DIR", help="another run: its finished teachers teach here, none is trained"
    )
    parser.add_argument(
        "--heard", type=Path, metavar="DIR", help="what another network hears in the same tracks (see musicnn.py)"
    )
    parser.add_argument(
        "--unlabelled", type=Path, nargs="+", default=[], metavar="DIR",
        help="features of music whose label nobody knows, a folder per form of it (see collect.py); wants --heard",
    )  # fmt: skip
    parser.add_argument(
        "--begin-with", type=Path, metavar="DIR", help="a finished run, or a package: a student begins as its network"
    )
    texts = {
        "network": "what is trained; all but harmonynet are teachers, which aren't exported",
        "teachers": "networks that are trained first and teach, separated by commas",
        "teaching": "share of the teachers' opinion in the targets",
        "imitation": "of a student with --heard: weight of the error in telling what was heard",
        "spacing": "of a student: frames from window to window of the grid that its teachers are asked about",
        "lessons": "augmentation that the teachers are trained with",
        "lesson_epochs": "length of each teacher's run",
        "epochs": "length of the run and of the cosine schedule, the network of --begin-with not counted",
        "steps": "length of a window: steps of the network, 8·steps + 14 frames",
        "windows": "where training windows lie: at random positions, or every window of the grid once per epoch",
        "windows_per_track": "of --windows random: windows cut from every track per epoch",
        "grid": "of --windows grid: frames from window to window; 0 = 2 s, as when judging",
        "batch": "windows per step",
        "rate": "largest learning rate",
        "weight_decay": "of AdamW",
        "dropout": "after every pooling and before the last layer",
        "smoothing": "label smoothing",
        "average": "decay of the moving average of the weights; 0 = the weights themselves",
        "patience": "stop after so many epochs without improvement; 0 = never",
        "seed": "of everything random",
    }
    choices = {
        "network": ("harmonynet", *TEACHERS),
        "windows": ("random", "grid"),
        "schedule": ("cosine", "constant"),
        "augmentation": tuple(augment.PRESETS),
        "lessons": tuple(augment.PRESETS),
        "readout": READOUTS,
        "normalize": NORMALIZATIONS,
        "precision": ("bfloat16", "float32"),
    }
    default = Config()
    for field in fields(Config):
        kind = type(getattr(default, field.name))
        shown = f"{getattr(default, field.name)}; paper: {getattr(PAPER, field.name)}"
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kind,
            choices=choices.get(field.name),
            metavar=None if field.name in choices else kind.__name__.upper(),
            help=f"{texts.get(field.name, field.name)} (default: {shown})",
        )
    args = parser.parse_args(arguments)
    changed = {f.name: getattr(args, f.name) for f in fields(Config) if getattr(args, f.name) is not None}
    return args, Config(**{**asdict(RECIPES[args.recipe]), **changed})


def main() -> None:
    args, config = parse()
    torch.set_num_threads(args.threads)
    try:
        source = Source(
            args.features, args.split, args.split_column, args.not_music, tuple(args.rooms), args.teachers_of,
            args.heard, args.begin_with, tuple(args.unlabelled),
        )  # fmt: skip
        trainer = train(config, source, args.run, args.stop_after)
    except (data.DataError, TrainError) as error:
        sys.exit(f"train: {error}")
    except KeyboardInterrupt:
        sys.exit("train: interrupted; run the same command to go on after the last finished epoch")
    if trainer.best is not None:
        best = trainer.best
        print(f"best epoch {best['epoch']}: validation excerpt {best['excerpt']:.3f}, track {best['track']:.3f}")


if __name__ == "__main__":
    main()
