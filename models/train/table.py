"""Tables of tracks, CSV files with a header, and the recordings that they name. Needs nothing but the standard library."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".au")


def read_table(path: Path, columns: Iterable[str], error: type[Exception]) -> list[dict[str, str]]:
    """The rows, at least one, which have these columns; anything else is the caller's kind of `error`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as reason:
        raise error(f"{path}: {reason.strerror}") from None
    if not rows:
        raise error(f"{path}: no tracks")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise error(f"{path}: no column {missing[0]!r}; it has {', '.join(rows[0])}")
    return rows


def table_text(columns: list[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as it stands in its file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def genres_of(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Of (genre, track) names: every track's genres."""
    found = defaultdict(list)
    for genre, track in names:
        found[track].append(genre)
    return dict(found)


def genre_of(row: dict[str, str], genres: dict[str, list[str]], path: Path, error: type[Exception]) -> str | None:
    """The genre that a row of the table at `path` states; where it states none, the only one that has its track. Several
    are the caller's kind of `error`."""
    among = [row["genre"]] if row.get("genre") else genres.get(row["track"], [])
    if len(among) > 1:
        raise error(f"{path}: {row['track']} is in {' and in '.join(among)}; add a column 'genre'")
    return among[0] if among else None


def find_recordings(folder: Path, error: type[Exception]) -> dict[tuple[str, str], Path]:
    """Every recording below a folder by genre and track, which are the names of its folder and its own; where there is
    none, or two have the same, it is the caller's kind of `error`."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.rglob("*.*")):
        if path.is_file() and path.suffix.lower() in ENDINGS:
            other = found.setdefault((path.parent.name, path.stem), path)
            if other != path:
                raise error(f"{other} and {path} have one name; leave one of them")
    if not found:
        raise error(f"{folder}: no recording in it ({', '.join(ENDINGS)})")
    return found
