"""Writes the split files of the evaluation protocols from a table of tracks.

    p1              the paper's released notebook: overlapping excerpts thrown into parts at random. Leaky: nearly every
                    track has excerpts on both sides. For comparison with the paper only.
    p2-track-1…5    the paper's text: of every genre 80 tracks to train on and 20 to test, in five folds; exact
                    duplicates stay in one part
    p2-artist-1…5   the same with every artist's tracks in one part, as evenly as that allows; the unnamed artists of
                    one genre count as one
    p3              the published fault-filtered partition, as the table has it

Early stopping needs a validation part that is neither trained on nor tested with. In p1 and p2 it is a tenth of what is
not tested: about 72 / 8 / 20 per cent to train on, to validate, to test.

The table is a CSV with the columns track, genre, artist, exact_duplicate_of and fault_filtered_split; the split files
have track, genre, artist, part and, for p1, excerpt. Who goes where is decided by hashes of names and the seed, not by
the order of the table.

    python models/train/protocols.py --tracks gtzan.csv --out splits
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from table import read_table, table_text

FOLDS = 5
SEED = 1
EXCERPTS = 13  # of 166 frames, every 88, in a track of 30 s
PROTOCOLS = ("p1", "p2-track", "p2-artist", "p3")
PARTS = ("train", "valid", "test")


class ProtocolError(Exception):
    """The table of tracks cannot be used; the text says why."""


@dataclass(frozen=True)
class Track:
    """One line of the table."""

    name: str
    genre: str
    artist: str
    duplicate_of: str
    fault_filtered: str


@dataclass(frozen=True)
class Row:
    """One line of a split: a track or, in p1, one excerpt of it."""

    track: Track
    part: str
    excerpt: int | None = None


Group = tuple[Track, ...]  # tracks that must stay together


def read_tracks(path: Path) -> list[Track]:
    """The table, sorted by track."""
    columns = ("track", "genre", "artist", "exact_duplicate_of", "fault_filtered_split")
    rows = read_table(path, columns, ProtocolError)
    tracks = sorted((Track(*(row[column] for column in columns)) for row in rows), key=lambda track: track.name)
    known = Counter(track.name for track in tracks)
    for track in tracks:
        if known[track.name] > 1:
            raise ProtocolError(f"{path}: {track.name} is in it {known[track.name]} times")
        if track.duplicate_of and track.duplicate_of not in known:
            raise ProtocolError(f"{path}: {track.name} is a duplicate of {track.duplicate_of}, which is not in it")
    return tracks


def groups_of(tracks: list[Track], ties: Callable[[Track], Iterable[str]]) -> list[Group]:
    """Tracks that share a tie, directly or through others, in one group."""
    parent: dict[str, str] = {}

    def root(tie: str) -> str:
        while parent.setdefault(tie, tie) != tie:
            tie = parent[tie]
        return tie

    for track in tracks:
        first, *others = ties(track)
        for other in others:
            parent[root(other)] = root(first)
    groups: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        groups[root(next(iter(ties(track))))].append(track)
    return [tuple(group) for group in groups.values()]


def duplicate_ties(track: Track) -> list[str]:
    """A track and its exact duplicate."""
    return [f"track {track.name}"] + ([f"track {track.duplicate_of}"] if track.duplicate_of else [])


def artist_ties(track: Track) -> list[str]:
    """Besides, all tracks of an artist, in whatever genre; without a name, those of the genre's unnamed."""
    return [*duplicate_ties(track), f"artist {track.artist}" if track.artist else f"unnamed {track.genre}"]


def shuffled(groups: Iterable[Group], salt: str) -> list[Group]:
    """The groups in an order that depends on their names and the salt alone."""
    return sorted(groups, key=lambda group: hashlib.sha256(f"{salt} {group[0].name}".encode()).digest())


def genre_counts(tracks: Iterable[Track]) -> Counter[str]:
    """Tracks per genre."""
    return Counter(track.genre for track in tracks)


class Folds:
    """Groups dealt into folds so that every genre is as evenly spread as they allow."""

    def __init__(self, groups: list[Group], salt: str) -> None:
        self.target = {genre: n / FOLDS for genre, n in genre_counts(t for g in groups for t in g).items()}
        self.counts: list[Counter[str]] = [Counter() for _ in range(FOLDS)]
        self.place: dict[Group, int] = {}
        self.groups = sorted(shuffled(groups, salt), key=len, reverse=True)
        for group in self.groups:
            self._put(group, min(range(FOLDS), key=lambda fold: self._growth(group, fold)))
        while self._improve():
            pass

    def _put(self, group: Group, fold: int) -> None:
        if group in self.place:
            self.counts[self.place[group]].subtract(genre_counts(group))
        self.counts[fold].update(genre_counts(group))
        self.place[group] = fold

    def _growth(self, group: Group, fold: int) -> float:
        """By how much the squared distance from the targets grows if the group joins; ties: the fuller loses."""
        counts = self.counts[fold]
        by_genre = sum((2 * (counts[g] - self.target[g]) + n) * n for g, n in genre_counts(group).items())
        return by_genre + 1e-3 * counts.total()

    def _cost(self, folds: Iterable[int]) -> float:
        return sum((self.counts[fold][genre] - n) ** 2 for fold in folds for genre, n in self.target.items())

    def _improve(self) -> bool:
        """Moves one group, or exchanges two, where that evens the folds out."""
        for index, group in enumerate(self.groups):
            here = self.place[group]
            if len(group) == 1 and self._cost((here,)) == 0:
                continue
            for fold in range(FOLDS):
                if fold == here:
                    continue
                others = [other for other in self.groups[index + 1 :] if self.place[other] == fold]
                for partner in [None, *(other for other in others if other[0].genre == group[0].genre)]:
                    before = self._cost((here, fold))
                    self._put(group, fold)
                    if partner:
                        self._put(partner, here)
                    if self._cost((here, fold)) < before - 1e-9:
                        return True
                    self._put(group, here)
                    if partner:
                        self._put(partner, fold)
        return False


def validation_groups(groups: list[Group], salt: str) -> set[Group]:
    """Groups whose tracks are, in every genre, as near to a tenth as whole groups allow, and never a whole genre."""
    everything = genre_counts(track for group in groups for track in group)
    chosen: set[Group] = set()
    for genre, total in sorted(everything.items()):
        # Groups that reach over two genres stay in training: moving them would unbalance the other genre.
        sums: dict[int, tuple[Group, ...]] = {0: ()}
        for group in shuffled(groups, salt):
            if set(genre_counts(group)) == {genre}:
                for size, members in list(sums.items()):
                    sums.setdefault(size + len(group), (*members, group))
        allowed = [size for size in sums if 0 < size < total]
        if not allowed:
            raise ProtocolError(f"{genre}: its tracks cannot be parted into training and validation")
        chosen.update(sums[min(allowed, key=lambda size: (abs(size - total / 10), -size))])
    return chosen


def folds(tracks: list[Track], ties: Callable[[Track], Iterable[str]], salt: str) -> list[list[Row]]:
    """The splits of p2: fold k is tested, a tenth of the others validates, the rest trains."""
    groups = groups_of(tracks, ties)
    dealt = Folds(groups, salt)
    splits = []
    for fold in range(FOLDS):
        rest = [group for group in groups if dealt.place[group] != fold]
        valid = validation_groups(rest, f"{salt} {fold}")

        def part(group: Group) -> str:
            return "test" if dealt.place[group] == fold else "valid" if group in valid else "train"

        rows = [Row(track, part(group)) for group in groups for track in group]
        splits.append(sorted(rows, key=lambda row: row.track.name))
    return splits


def by_excerpt(tracks: list[Track], excerpts: int, salt: str) -> list[Row]:
    """The split of p1: of all excerpts a fifth is tested, a tenth of the others validates, the rest trains."""
    every = [(track, excerpt) for track in tracks for excerpt in range(excerpts)]
    every.sort(key=lambda pair: hashlib.sha256(f"{salt} {pair[0].name} {pair[1]}".encode()).digest())
    tested = round(len(every) / 5)
    validated = round((len(every) - tested) / 10)
    rows = [
        Row(track, "test" if place < tested else "valid" if place < tested + validated else "train", excerpt)
        for place, (track, excerpt) in enumerate(every)
    ]
    return sorted(rows, key=lambda row: (row.track.name, row.excerpt or 0))


def splits_of(protocol: str, tracks: list[Track], seed: int = SEED, excerpts: int = EXCERPTS) -> dict[str, list[Row]]:
    """One protocol's splits, by name: its own or, with folds, one per fold."""
    if protocol == "p1":
        return {"p1": by_excerpt(tracks, excerpts, f"p1 {seed}")}
    if protocol == "p3":
        return {"p3": [Row(track, track.fault_filtered) for track in tracks if track.fault_filtered in PARTS]}
    ties = {"p2-track": duplicate_ties, "p2-artist": artist_ties}[protocol]
    return {f"{protocol}-{fold}": rows for fold, rows in enumerate(folds(tracks, ties, f"{protocol} {seed}"), 1)}


def splits(tracks: list[Track], seed: int = SEED, excerpts: int = EXCERPTS) -> dict[str, list[Row]]:
    """Every protocol's splits, by name."""
    return {
        name: rows for protocol in PROTOCOLS for name, rows in splits_of(protocol, tracks, seed, excerpts).items()
    }


def to_csv(rows: list[Row]) -> str:
    """The split file's text."""
    by_excerpts = any(row.excerpt is not None for row in rows)
    columns = ["track", "genre", "artist", "part"] + ["excerpt"] * by_excerpts
    fields = ([row.track.name, row.track.genre, row.track.artist, row.part, row.excerpt] for row in rows)
    return table_text(columns, (row[: len(columns)] for row in fields))


def sizes(named: dict[str, list[Row]]) -> str:
    """Tracks (in p1: excerpts) per split and genre, as train/valid/test."""
    genres = sorted({row.track.genre for rows in named.values() for row in rows})
    lines = [["train/valid/test", *genres, "all"]]
    for name, rows in named.items():
        count = Counter((row.track.genre, row.part) for row in rows)
        count.update(("all", row.part) for row in rows)
        lines.append([name, *("/".join(str(count[genre, part]) for part in PARTS) for genre in [*genres, "all"])])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths)).rstrip() for line in lines)


def write_splits(named: dict[str, list[Row]], out: Path) -> None:
    """Writes `<name>.csv` for each split; an interruption leaves whole files only."""
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in named.items():
        partial = out / f"{name}.csv.partial"
        partial.write_text(to_csv(rows), encoding="utf-8")
        partial.replace(out / f"{name}.csv")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write the split files of the evaluation protocols, and print how large their parts are.",
        epilog="example: python models/train/protocols.py --tracks gtzan.csv --out splits",
    )
    parser.add_argument("--tracks", type=Path, required=True, metavar="CSV", help="the table of tracks")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the split files")
    parser.add_argument("--seed", type=int, default=SEED, metavar="N", help="of every choice (default: %(default)s)")
    parser.add_argument(
        "--excerpts", type=int, default=EXCERPTS, metavar="N", help="of every track, in p1 (default: %(default)s)"
    )
    args = parser.parse_args()
    try:
        named = splits(read_tracks(args.tracks), args.seed, args.excerpts)
    except ProtocolError as error:
        sys.exit(f"protocols: {error}")
    write_splits(named, args.out)
    print(sizes(named))


if __name__ == "__main__":
    main()
