"""Writes the model card's tables and `metrics.json` from the records; nothing of either is typed by hand.

In CARD.md a table stands between `<!-- table: NAME -->` and `<!-- end table -->`. The names:

    protocols            every protocol and recipe: accuracies with 95 % intervals, macro precision, recall, F1
    ablations            the paper's, under the fault-filtered split
    genres STUDY         precision, recall and F1 per genre, in the form of the paper's Table I; STUDY is a protocol and
    confusion STUDY      a recipe, `p3-shipped`; folds are added up
    graphs STUDY         the forms of the model, and the engines that run them
    displayed STUDY      accuracy and coverage of what a device shows, beside the arg-max of everything
    calibration STUDY    stated confidence beside accuracy
    lossless             lossless recordings beside their MP3s
    rooms                simulated rooms and microphones beside the clean recordings
    not-music            sounds that are no music, and how many of their windows are shown as a genre
    trials               trainings that were tried, with their validation figures
    metrics              the figures of metrics.json and what they are

What no record holds yet is said to be missing, in the table and by this command; metrics.json leaves its keys out.

    python models/train/assemble.py            # writes
    python models/train/assemble.py --check    # fails where card or metrics aren't what the records say

Needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

from metrics import METRICS, metrics
from pooling import Judged, PoolError, Records
from studies import PROTOCOLS, RecordError

HERE = Path(__file__).parent
MARKED = re.compile(r"(<!-- table: (?P<name>[^\n]*?) -->\n)(?P<table>.*?)(<!-- end table -->)", re.DOTALL)
PAPER_CLAIMS = {
    "p3": "94.51 %",
    "p3-no-lstm": "3 to 5 points less",
    "p3-2s": "about 92 %",
    "p3-no-overlap": "about 92.5 %",
}


class AssembleError(Exception):
    """The card cannot be assembled; the text says where."""


def table(head: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns are text."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def number(value: float) -> str:
    return f"{value:.3f}"


def with_interval(judged: Judged) -> str:
    low, high = judged.interval
    return f"{judged.accuracy:.3f} [{low:.3f}, {high:.3f}]"


def not_yet(name: str) -> str:
    """What stands where records are missing."""
    return f"*Not measured yet: {name}.*"


# Tables ---------------------------------------------------------------------------------------------------------------


def protocols_table(records: Records, _: str) -> str:
    head = ["protocol", "recipe", "tracks", "excerpts", "excerpt accuracy", "track accuracy"]
    head += ["precision", "recall", "F1"]
    rows = []
    studies = [("p3", "shipped"), ("p3", "paper")]
    studies += [(name, recipe) for name in ("p2-artist", "p2-track", "p1") for recipe in PROTOCOLS[name].recipes]
    for protocol, recipe in studies:
        pooled, named = records.pooled(f"{protocol}-{recipe}"), f"{protocol[:2].upper()}: {PROTOCOLS[protocol].text}"
        if pooled:
            macro = pooled.track.macro
            cells = [str(pooled.track.total), str(pooled.excerpt.total), with_interval(pooled.excerpt)]
            cells += [with_interval(pooled.track), number(macro.precision), number(macro.recall), number(macro.f1)]
        else:
            cells = ["", "", "not measured yet", "", "", "", ""]
        rows.append([named, recipe, *cells])
    return table(head, rows, left=2)


def ablations_table(records: Records, _: str) -> str:
    rows, whole = [], records.pooled("p3-paper")
    for protocol, claim in PAPER_CLAIMS.items():
        pooled = records.pooled(f"{protocol}-paper")
        text = "the paper's network and recipe" if protocol == "p3" else PROTOCOLS[protocol].text
        cells = ["not measured yet", "", ""]
        if pooled:
            points = 100 * (pooled.track.accuracy - whole.track.accuracy) if whole else 0.0
            change = f"{points:+.1f}" if whole and protocol != "p3" else ""
            cells = [with_interval(pooled.excerpt), with_interval(pooled.track), change]
        rows.append([text, *cells, claim])
    return table(["", "excerpt accuracy", "track accuracy", "points, track", "the paper says"], rows)


def genres_table(records: Records, name: str) -> str:
    pooled = records.pooled(name)
    if not pooled:
        return not_yet(name)
    head = ["genre", "precision", "recall", "F1", "precision, excerpts", "recall, excerpts", "F1, excerpts"]
    rows = []
    for index, label in enumerate([*pooled.labels, "macro"]):
        sides = [side.macro if label == "macro" else side.quality(index) for side in (pooled.track, pooled.excerpt)]
        rows.append([label, *(number(value) for side in sides for value in (side.precision, side.recall, side.f1))])
    return table(head, rows)


def confusion_table(records: Records, name: str) -> str:
    pooled = records.pooled(name)
    if not pooled:
        return not_yet(name)
    rows = [[label, *map(str, row)] for label, row in zip(pooled.labels, pooled.track.confusion)]
    return table(["truth, by track", *pooled.labels], rows)


def graphs_table(records: Records, name: str) -> str:
    pooled = records.pooled(name)
    if not pooled:
        return not_yet(name)
    runs = pooled.evaluations[0]["engine"]
    rows = [[f"int8, {runs}", number(pooled.excerpt.accuracy), number(pooled.track.accuracy), ""]]
    for other in (other for evaluation in pooled.evaluations for other in evaluation["compared"]):
        form = {"float": "float, tract", "int8": "int8, tract"}.get(other["graph"], other["graph"])
        rows.append([form, number(other["excerpt"]), number(other["track"]), f"{other['agreement']:.4f}"])
    return table(["form and engine", "excerpt accuracy", "track accuracy", "same verdict as the first, excerpts"], rows)


def displayed_table(records: Records, name: str) -> str:
    pooled = records.pooled(name)
    if not pooled:
        return not_yet(name)
    found = pooled.evaluations[0]
    rows = [["every excerpt, by its arg-max", number(1.0), number(pooled.excerpt.accuracy)]]
    rows.append(["shown as a genre", number(found["shown"]), number(found["shown_accuracy"])])
    return table(["excerpts", "share", "accuracy"], rows)


def calibration_table(records: Records, name: str) -> str:
    pooled = records.pooled(name)
    if not pooled:
        return not_yet(name)
    found = pooled.evaluations[0]["calibration"]
    rows = [[str(b["excerpts"]), number(b["confidence"]), number(b["accuracy"])] for b in found["bins"]]
    rows.append(["calibration error", number(found["ece"]), ""])
    rows.append(["of a perfect model, by chance", number(found["chance"]), ""])
    return table(["excerpts", "mean confidence", "accuracy"], rows)


def lossless_table(records: Records, _: str) -> str:
    pooled = records.pooled("lossless-shipped")
    if not pooled:
        return not_yet("lossless-shipped")
    rows = [["lossless", number(pooled.excerpt.accuracy), number(pooled.track.accuracy), ""]]
    mp3 = pooled.evaluations[0]["against"][0]
    rows.append(["MP3", number(mp3["excerpt"]), number(mp3["track"]), f"{mp3['agreement']:.4f}"])
    return table([f"{pooled.track.total} tracks", "excerpt accuracy", "track accuracy", "same verdict, excerpts"], rows)


def rooms_table(records: Records, _: str) -> str:
    pooled = records.pooled("rooms-shipped")
    if not pooled:
        return not_yet("rooms-shipped")
    head = ["room", "loudspeaker", "microphone", "noise", "SNR", "excerpt accuracy", "track accuracy"]
    head += ["same verdict, excerpts", "points lost, excerpts"]
    clean = [number(pooled.excerpt.accuracy), number(pooled.track.accuracy)]
    rows = [["clean", "", "", "", "", *clean, "", ""]]
    for room in pooled.evaluations[0]["rooms"]:
        texts = [room[key] for key in ("room", "loudspeaker", "microphone", "noise")]
        accuracies = [number(room["excerpt"]), number(room["track"])]
        lost = f"{100 * room['excerpt_gap']:.1f}"
        rows.append([*texts, f"{room['snr_db']:g} dB", *accuracies, f"{room['agreement']:.3f}", lost])
    return table(head, rows, left=4)


def not_music_table(records: Records, _: str) -> str:
    evaluations = records.evaluations("not-music-shipped")
    if not evaluations:
        return not_yet("not-music-shipped")
    found = evaluations[0]["not_music"]
    rows = [[e["kind"], str(e["windows"]), str(e["shown"]), number(e["share"])] for e in found["kinds"]]
    rows.append(["in total", str(found["windows"]), str(found["shown"]), number(found["share"])])
    return table(["sound", "windows", "shown as a genre", "share"], rows)


def trials_table(records: Records, _: str) -> str:
    fields = ("epochs", "rate", "augmentation", "smoothing", "average", "readout", "normalize", "seed")
    rows = []
    for name, record in records.trials():
        found, configuration = record["result"]["validation"], record["configuration"]
        settings = [str(configuration.get(field, "")) for field in fields]
        rows.append([f"`{name}`", *settings, number(found["excerpt"]), number(found["track"])])
    return table(["record", *fields, "excerpts", "tracks"], rows)


def metrics_table(records: Records, _: str) -> str:
    values = metrics(records)
    shown = {key: f"{values[key]:.4f}" if key in values else "not measured yet" for key in METRICS}
    rows = [[f"`{key}`", metric.text, shown[key]] for key, metric in METRICS.items()]
    return table(["figure", "what it is", "value"], rows, left=2)


TABLES: dict[str, Callable[[Records, str], str]] = {
    "protocols": protocols_table,
    "ablations": ablations_table,
    "genres": genres_table,
    "confusion": confusion_table,
    "graphs": graphs_table,
    "displayed": displayed_table,
    "calibration": calibration_table,
    "lossless": lossless_table,
    "rooms": rooms_table,
    "not-music": not_music_table,
    "trials": trials_table,
    "metrics": metrics_table,
}

def assembled(card: str, records: Records) -> str:
    """The card with its tables made anew."""
    if not card.count("<!-- table:") == card.count("<!-- end table") == len(MARKED.findall(card)):
        raise AssembleError("a table's begin has no end: <!-- table: NAME --> … <!-- end table -->")

    def replaced(match: re.Match[str]) -> str:
        kind, _, rest = match["name"].partition(" ")
        if kind not in TABLES:
            raise AssembleError(f"there is no table {kind!r}; there are {', '.join(TABLES)}")
        return match[1] + TABLES[kind](records, rest) + "\n" + match[4]

    return MARKED.sub(replaced, card)


def first_difference(path: Path, there: str, wanted: str) -> str:
    """Where a file isn't what the records say."""
    lines = zip_longest(there.splitlines(keepends=True), wanted.splitlines(keepends=True))
    line, (old, new) = next((n, pair) for n, pair in enumerate(lines, 1) if pair[0] != pair[1])
    return f"{path}:{line}: not what the records say\n  there:  {old!r}\n  wanted: {new!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the model card's tables and metrics.json from the records.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where they differ from the records")
    parser.add_argument("--records", type=Path, default=HERE / "records", metavar="DIR", help="folder of the records")
    parser.add_argument(
        "--package", type=Path, default=HERE.parent / "harmonynet", metavar="DIR", help="CARD.md and metrics.json"
    )
    args = parser.parse_args()
    card, figures, records = args.package / "CARD.md", args.package / "metrics.json", Records(args.records)
    try:
        wanted = {
            card: assembled(card.read_text(encoding="utf-8"), records),
            figures: json.dumps(metrics(records), indent=2) + "\n",
        }
    except (AssembleError, PoolError, RecordError, OSError) as error:
        sys.exit(f"assemble: {error}")
    wrong = []
    for path, text in wanted.items():
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        if there != text:
            wrong.append(first_difference(path, there, text))
            if not args.check:
                path.write_text(text, encoding="utf-8")
                print(f"{path}: written")
    for name in dict.fromkeys(records.missing):
        print(f"no record yet: {name}")
    left_out = [key for key in METRICS if key not in json.loads(wanted[figures])]
    if left_out:
        print(f"left out of metrics.json: {', '.join(left_out)}")
    if args.check and wrong:
        sys.exit("assemble: " + "\n".join(wrong) + "\nrun models/train/assemble.py")


if __name__ == "__main__":
    main()
