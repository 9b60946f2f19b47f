"""Runs the measurements of the model card, from the split to the record; run it again to go on.

    <runs>/<study>/split.csv         who is trained on, validated, tested
    <runs>/<study>/training/         train.py's run folder
    <runs>/<study>/float.onnx        export.py's graph
    <runs>/<study>/package/          what `quantize` makes of it
    <runs>/<study>/evaluation.json   what `harmonynet evaluate` says of the test part, through the int8 path
    models/train/records/<study>.json   the record: configuration, hashes, seed, training result, evaluation

Each stage writes beside and renames, so that a call that was killed at any moment leaves whole files only; the next one
goes on with the first stage that is missing, and with a training after its last finished epoch. Two calls may share the
work: a study that another process is at is left to it. A record holds aggregates and no path of the machine.

    python models/train/study.py list --split gtzan.csv --runs runs
    python models/train/study.py run p2-track --recipe paper --fold 3 --split gtzan.csv --features features \\
        --audio gtzan-mp3 --runs runs
    python models/train/study.py run all --split gtzan.csv --features features --audio gtzan-mp3 \\
        --lossless gtzan-lossless --not-music not-music-features --rooms rooms-features/* --runs runs
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

import data
import protocols
from network import FRAMES_PER_STEP, frames_for
from recipe import RECIPES, Config
from runs import code_hash
from stages import HERE, Busy, Studio, StudyError, finished
from studies import RecordError, Study, all_studies, read_record

PACE = 0.0145  # seconds per window of 166 frames: the shipped recipe on four cores that other work shared
STALE_EPOCHS = 25  # a guess of when a training stops early, until one has


def windows(studio: Studio, study: Study, config: Config) -> int:
    """About how many windows an epoch trains on, of the front-end's shipped hop and tracks of 30 s."""
    rows = [row for row in studio.split(study) if row.part == "train"]
    grid = (config.spacing if study.recipe == "shipped" else config.grid) or 11 * FRAMES_PER_STEP
    return len(rows) * (1 if study.by_excerpts else (1290 - frames_for(config.steps)) // grid + 1)


def seconds_left(studio: Studio, study: Study, pace: dict[str, tuple[float, float]]) -> float:
    """An estimate of the training that is left, from what finished ones of the recipe took."""
    if not study.trains or not studio.tracks:
        return 0.0
    config, training = studio.config(study), studio.training(study)
    result = training["result"] if training else {"epochs": 0, "finished": False}
    per_window, epochs = pace.get(study.recipe, (PACE, STALE_EPOCHS if config.patience else config.epochs))
    left = 0 if result["finished"] else max(1, min(epochs, config.epochs) - result["epochs"])
    return left * per_window * windows(studio, study, config) * frames_for(config.steps) / frames_for(19)


def pace_of(studio: Studio) -> dict[str, tuple[float, float]]:
    """Per recipe, of finished trainings: seconds per window of 166 frames, and epochs."""
    found: dict[str, list[tuple[float, float]]] = {}
    for study in (study for study in all_studies() if study.trains and studio.tracks):
        record = read_record(studio.args.records, study)
        training = record["training"] if record else studio.training(study)
        if finished(training):
            config, result = studio.config(study), training["result"]
            frames = windows(studio, study, config) * frames_for(config.steps) / frames_for(19)
            found.setdefault(study.recipe, []).append(
                (result["seconds"] / (result["epochs"] * frames), result["epochs"])
            )
    return {recipe: tuple(np.mean(values, axis=0).tolist()) for recipe, values in found.items()}


def minutes(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"


def show(studio: Studio, studies: list[Study]) -> None:
    """One line per study: done and with what result, begun, or missing."""
    pace, total, width = pace_of(studio), 0.0, max(len(study.name) for study in studies)
    for study in studies:
        record, left = read_record(studio.args.records, study), seconds_left(studio, study, pace)
        training = studio.training(study) if study.trains and studio.args.runs else None
        outdated = studio.outdated(study, record) if record else None
        if record and not outdated:
            found = [(kind, record["evaluation"].get(kind)) for kind in ("excerpt", "track")]
            state = "done: " + ", ".join(f"{kind} {judged['accuracy']:.3f}" for kind, judged in found if judged)
            if "not_music" in record["evaluation"]:
                state += f"shown {record['evaluation']['not_music']['share']:.3f}"
            if study.trains and record["training"]["code"]["sha256"] != code_hash():
                state += " (trained by an earlier state of the code)"
        else:
            total += left
            state = f"outdated: {outdated}" if outdated else "missing"
            state += f", training finished epoch {training['result']['epochs']}" if training else ""
            state += f", about {minutes(left)} of training" if left else ""
        print(f"{study.name:{width}}  {state}")
    if studio.tracks:
        print(f"left to train: about {minutes(total)}" if total else "nothing is left to train")


def lacking(studio: Studio, study: Study) -> str | None:
    """The option without which the study cannot be run; `None` where it can."""
    if study.trains:
        args = studio.args
        wanted = {"--not-music": args.not_music, "--rooms": args.rooms, "--heard": args.heard, "--listener": args.listener}
        return next((name for name, given in wanted.items() if study.recipe == "shipped" and not given), None)
    return "--lossless" if study.protocol == "lossless" and not studio.args.lossless else None


def run_all(studio: Studio, studies: list[Study]) -> list[str]:
    """Runs what is missing; returns what failed, with the reason. A failure doesn't keep the others from running."""
    failed = []
    for study in studies:
        if needed := lacking(studio, study):
            print(f"{study.name}: skipped, needs {needed}", flush=True)
            continue
        try:
            if studio.done(study):
                print(f"{study.name}: done", flush=True)
                continue
            left = seconds_left(studio, study, pace_of(studio))
            print(f"{study.name}: about {minutes(left)} of training left", flush=True)
            studio.run(study)
        except Busy:
            print(f"{study.name}: another process is at it", flush=True)
        except StudyError as error:
            print(f"{study.name}: {error}", flush=True)
            failed.append(f"{study.name}: {error}")
    return failed


def chosen_studies(args: argparse.Namespace) -> list[Study]:
    """What the command line names."""
    every = all_studies()
    studies = [study for study in every if args.name in ("all", study.protocol)]
    studies = [study for study in studies if args.recipe in (None, study.recipe) and args.fold in (None, study.fold)]
    if not studies:
        raise StudyError("no such study; `study.py list` names them: protocol, recipe and fold")
    return studies


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the measurements of the model card. Run it again to go on.")
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--runs", type=Path, required=True, metavar="DIR", help="scratch folder of all studies")
    common.add_argument("--records", type=Path, default=HERE / "records", metavar="DIR", help="where records go")
    common.add_argument(
        "--package", type=Path, default=HERE.parent / "harmonynet", metavar="DIR", help="the shipped package"
    )
    commands.add_parser("list", parents=[common], help="what is done and what is missing").add_argument(
        "--split", type=Path, metavar="CSV", help="the table of tracks; with it, times are estimated"
    )
    run = commands.add_parser("run", parents=[common], help="run one protocol's studies, or all")
    run.add_argument("name", choices=["all", *dict.fromkeys(study.protocol for study in all_studies())])
    run.add_argument("--recipe", choices=RECIPES, help="only with this recipe")
    run.add_argument("--fold", type=int, metavar="K", help="only this fold")
    run.add_argument("--split", type=Path, required=True, metavar="CSV", help="the table of tracks")
    run.add_argument("--features", type=Path, required=True, metavar="DIR", help="features of all tracks")
    run.add_argument("--audio", type=Path, required=True, metavar="DIR", help="recordings of all tracks")
    run.add_argument("--lossless", type=Path, metavar="DIR", help="lossless recordings of some")
    run.add_argument("--not-music", type=Path, metavar="DIR", help="features of what isn't music, for --recipe shipped")
    run.add_argument(
        "--rooms", type=Path, nargs="+", default=[], metavar="DIR", help="features of all tracks in rooms, likewise"
    )
    run.add_argument("--heard", type=Path, metavar="DIR", help="what musicnn hears in all tracks, likewise")
    run.add_argument("--listener", type=Path, metavar="DIR", help="a run of listen.py, to begin with, likewise")
    target = HERE.parent.parent / "target" / "release"
    for program in ("harmonynet", "quantize"):
        run.add_argument(
            f"--{program}", type=Path, default=target / program, metavar="FILE", help="the program, built for release"
        )
    run.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N", help="processor threads")
    return parser.parse_args(arguments)


def main() -> None:
    args = parse()
    try:
        studio = Studio(args)
        if args.command == "list":
            return show(studio, all_studies())
        failed = run_all(studio, chosen_studies(args))
    except (StudyError, RecordError, protocols.ProtocolError, data.DataError) as error:
        sys.exit(f"study: {error}")
    except KeyboardInterrupt:
        sys.exit("study: interrupted; run the same command to go on")
    if failed:
        sys.exit("study: failed:\n  " + "\n  ".join(failed))


if __name__ == "__main__":
    main()
