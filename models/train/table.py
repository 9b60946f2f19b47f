"""Tables of tracks: CSV files with a header. Needs nothing but the standard library."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path


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
