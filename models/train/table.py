"""Tables of tracks, CSV files with a header, and the recordings that they name. Needs nothing but the standard library."""

from __future__ import annotations

import csv
import io
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
