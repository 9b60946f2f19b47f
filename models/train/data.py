"""Features that the front-end wrote, the split that says which track belongs where, and windows cut out of them.

A features folder holds `<genre>/<track>.npy` (int16, [frames, 128], Q8.8 octaves) and `frontend.json` (fingerprint and
specification of the front-end that wrote them). A split file is a CSV with the columns `track`, a column of parts
(train, valid, test; anything else leaves the track out) and, if known, `artist`. Windows are always cut out of
whole-track features, so that the front-end's level tracker is in the state a stream would have given it.

A split by excerpts has a column `excerpt` besides: one row per excerpt, its index counted from the track's start at a
hop of about 2 s. One track may then be in several parts.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from network import FRAMES_PER_STEP, HOP_FRAMES, MEL_BANDS, WINDOW_FRAMES
from table import genre_of, genres_of, read_table, table_text

PARTS = ("train", "valid", "test")
OCTAVE = 256.0  # Q8.8


class DataError(Exception):
    """Features or split cannot be used; the text names the file and what is wrong with it."""


@dataclass(frozen=True)
class Entry:
    """One track of the split."""

    track: str
    genre: str
    part: str
    artist: str = ""
    excerpt: int | None = None  # of a split by excerpts: this one only


@dataclass(frozen=True)
class Windows:
    """Length and hop of the excerpts that are judged, in frames."""

    frames: int = WINDOW_FRAMES
    hop: int = HOP_FRAMES


@dataclass
class Part:
    """The tracks of one part in memory: features, label indices, names; how they are judged, and in a split by
    excerpts which excerpts of each track belong to the part."""

    features: list[np.ndarray]
    targets: np.ndarray
    tracks: list[str]
    windows: Windows = Windows()
    excerpts: list[np.ndarray] | None = None


@dataclass(frozen=True)
class Frontend:
    """What wrote the features."""

    fingerprint: str
    spec: dict

    @property
    def evaluation_hop(self) -> int:
        """Frames between the excerpts that are judged: the whole steps of the network that come nearest to 2 s."""
        step = FRAMES_PER_STEP * self.spec["hop"]
        return FRAMES_PER_STEP * max(1, (2 * self.spec["rate_hz"] + step // 2) // step)


def read_frontend(folder: Path) -> Frontend:
    """`frontend.json` of a features folder."""
    path = folder / "frontend.json"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; write features with `harmonynet features --out {folder} FILES…`")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        frontend = Frontend(str(content["fingerprint"]), dict(content["spec"]))
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the folder was not written by `harmonynet features`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: needs a fingerprint and a spec ({error!r})") from None
    bands = frontend.spec.get("mel_bands", MEL_BANDS)
    if bands != MEL_BANDS:
        raise DataError(f"{path}: spec.mel_bands is {bands}; the network wants {MEL_BANDS}")
    for field in ("rate_hz", "hop"):
        if not isinstance(frontend.spec.get(field), int) or frontend.spec[field] <= 0:
            raise DataError(f"{path}: spec.{field} is {frontend.spec.get(field)!r}; wanted a positive integer")
    return frontend


def read_split(path: Path, column: str, features: Path) -> list[Entry]:
    """The split file's tracks that belong to a part, sorted. The genre is the `genre` column or, without one, the
    folder that holds the track's features."""
    rows = read_table(path, ("track", column), DataError)
    folders = {} if "genre" in rows[0] else genres_of(_tracks_in(features))
    entries = []
    for row in rows:
        if row[column] in PARTS:
            genre = genre_of(row, folders, path, DataError)
            if not genre:
                raise DataError(f"{path}: {row['track']} has no genre column and no features in {features}")
            excerpt = _excerpt(path, row) if "excerpt" in row else None
            entries.append(Entry(row["track"], genre, row[column], row.get("artist") or "", excerpt))
    return sorted(entries, key=lambda entry: (entry.track, entry.genre, entry.excerpt or 0))


def _excerpt(path: Path, row: dict[str, str]) -> int:
    if not row["excerpt"].isdecimal():
        raise DataError(f"{path}: {row['track']} has the excerpt {row['excerpt']!r}; wanted 0, 1, 2, …")
    return int(row["excerpt"])


def split_by_hash(features: Path) -> list[Entry]:
    """A split for folders without a split file: 70 / 15 / 15 per cent within each genre, by a hash of the name."""
    genres: dict[str, list[str]] = defaultdict(list)
    for genre, track in _tracks_in(features):
        genres[genre].append(track)
    entries = []
    for genre, tracks in genres.items():
        tracks.sort(key=lambda track: hashlib.sha256(track.encode()).digest())
        for index, track in enumerate(tracks):
            share = (index + 0.5) / len(tracks)
            entries.append(Entry(track, genre, "train" if share < 0.7 else "valid" if share < 0.85 else "test"))
    if not entries:
        raise DataError(f"{features}: no <genre>/<track>.npy in it")
    return sorted(entries, key=lambda entry: (entry.track, entry.genre))


def split_csv(entries: list[Entry]) -> str:
    """The split as a file that the other programs read, its parts in the column `part`."""
    rows = ([entry.track, entry.genre, entry.artist, entry.part] for entry in entries)
    return table_text(["track", "genre", "artist", "part"], rows)


def _tracks_in(features: Path) -> list[tuple[str, str]]:
    return sorted((path.parent.name, path.stem) for path in features.glob("*/*.npy"))


def shared_artists(entries: list[Entry]) -> dict[str, list[str]]:
    """Artists with tracks in more than one part: their accuracy is partly memory."""
    parts: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.artist:
            parts[entry.artist].add(entry.part)
    return {artist: sorted(where) for artist, where in sorted(parts.items()) if len(where) > 1}


def labels_of(entries: list[Entry]) -> list[str]:
    """The genres of the training part, sorted: the order of the network's outputs."""
    return sorted({entry.genre for entry in entries if entry.part == "train"})


def data_hash(entries: list[Entry]) -> str:
    """SHA-256 of the sorted list of tracks (with their excerpts, if the split is by excerpts), genres and parts."""
    names = [entry.track if entry.excerpt is None else f"{entry.track}\t{entry.excerpt}" for entry in entries]
    lines = sorted(f"{name}\t{entry.genre}\t{entry.part}\n" for name, entry in zip(names, entries))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def load_part(
    features: Path, entries: list[Entry], part: str, labels: list[str], windows: Windows = Windows()
) -> Part:
    """Reads the features of one part's tracks."""
    rows = [entry for entry in entries if entry.part == part]
    chosen = list({(entry.genre, entry.track): entry for entry in rows}.values())
    if not chosen:
        raise DataError(f"the split has no track for {part!r}")
    unknown = sorted({entry.genre for entry in chosen} - set(labels))
    if unknown:
        raise DataError(f"{part!r} has genres that training has not: {', '.join(unknown)}")
    paths = [features / entry.genre / f"{entry.track}.npy" for entry in chosen]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{len(missing)} of {len(paths)} tracks for {part!r} have no features, first {missing[0]}")
    arrays = [_load(path, windows.frames) for path in paths]
    targets = np.array([labels.index(entry.genre) for entry in chosen])
    loaded = Part(arrays, targets, [entry.track for entry in chosen], windows)
    if any(entry.excerpt is not None for entry in rows):
        loaded.excerpts = _excerpts(rows, chosen, loaded)
    return loaded


def _check_same_frontend(features: Path, frontend: Frontend, whose: str) -> None:
    """Refuses features that another front-end wrote."""
    theirs = read_frontend(features)
    if theirs.fingerprint != frontend.fingerprint:
        raise DataError(f"{features}: fingerprint {theirs.fingerprint}; the {whose} is {frontend.fingerprint}")


def load_not_music(features: Path, frontend: Frontend, windows: Windows) -> tuple[Part, str]:
    """Features of sounds that aren't music, and the SHA-256 of their contents."""
    _check_same_frontend(features, frontend, "music's")
    paths = sorted(features.glob("*/*.npy"))
    if not paths:
        raise DataError(f"{features}: no <kind>/<number>.npy in it")
    arrays = [_load(path, windows.frames) for path in paths]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays))
    names = [f"{path.parent.name}/{path.stem}" for path in paths]
    return Part(arrays, np.zeros(len(arrays), np.int64), names, windows), digest.hexdigest()


def load_take(features: Path, frontend: Frontend, recorded: Part, labels: list[str]) -> tuple[Part, str]:
    """The tracks of a part once more, as devices in rooms heard them, and the SHA-256 of their features."""
    _check_same_frontend(features, frontend, "recordings'")
    arrays, digest = [], hashlib.sha256()
    for track, target, original in zip(recorded.tracks, recorded.targets, recorded.features):
        path = features / labels[target] / f"{track}.npy"
        array = _load(path, recorded.windows.frames)
        if len(array) != len(original):
            raise DataError(f"{path}: {len(array)} frames; the recording has {len(original)}")
        arrays.append(array)
        digest.update(array.tobytes())
    return Part(arrays, recorded.targets, recorded.tracks, recorded.windows), digest.hexdigest()


def load_unlabelled(folders: Sequence[Path], frontend: Frontend, windows: Windows) -> tuple[list[Part], str]:
    """Music whose label nobody has told, once per folder: the same recordings in several forms, such as coded and as they
    were; and the SHA-256 of their features."""
    forms, digest = [], hashlib.sha256()
    for folder in folders:
        _check_same_frontend(folder, frontend, "labelled music's")
        names = ["/".join(name) for name in _tracks_in(folder)]
        if not names:
            raise DataError(f"{folder}: no <folder>/<recording>.npy in it")
        if forms and names != forms[0].tracks:
            other = min(set(names) ^ set(forms[0].tracks))
            raise DataError(f"{folders[0]} and {folder} are forms of the same recordings; only one has {other}")
        arrays = [_load(folder / f"{name}.npy", windows.frames) for name in names]
        for name, array, first in zip(names, arrays, forms[0].features if forms else arrays):
            if len(array) != len(first):
                raise DataError(f"{folder}: {name} has {len(array)} frames; in {folders[0]} it has {len(first)}")
            digest.update(array.tobytes())
        forms.append(Part(arrays, np.zeros(len(arrays), np.int64), names, windows))
    return forms, digest.hexdigest()


def _excerpts(rows: list[Entry], tracks: list[Entry], part: Part) -> list[np.ndarray]:
    """The excerpts of every track that the split's rows name."""
    named: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        named[row.genre, row.track].append(-1 if row.excerpt is None else row.excerpt)
    excerpts = []
    for track, features in zip(tracks, part.features):
        there = (len(features) - part.windows.frames) // part.windows.hop + 1
        wanted = sorted(named[track.genre, track.track])
        if len(set(wanted)) < len(wanted) or not 0 <= wanted[0] <= wanted[-1] < there:
            raise DataError(f"{track.track}: the split wants the excerpts {wanted}; it has 0 to {there - 1}, once each")
        excerpts.append(np.array(wanted))
    return excerpts


def _load(path: Path, least: int) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable .npy file ({error})") from None
    if array.dtype != np.int16 or array.ndim != 2 or array.shape[1] != MEL_BANDS:
        raise DataError(f"{path}: {array.dtype} {list(array.shape)}; wanted int16 [frames, {MEL_BANDS}]")
    if len(array) < least:
        raise DataError(f"{path}: {len(array)} frames; one window needs {least}")
    return array


def evaluation_windows(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """The excerpts by which a network is judged: (track index, first frame) of each."""
    return grid_windows(part, part.windows.hop)


def grid_windows(part: Part, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Every window of the part that starts on a multiple of `hop` frames: (track index, first frame) of each."""
    if part.excerpts is not None and hop != part.windows.hop:
        raise DataError(f"a split by excerpts counts them every {part.windows.hop} frames; the grid has {hop}")
    tracks, starts = [], []
    for index, features in enumerate(part.features):
        if part.excerpts is None:
            first = np.arange(0, len(features) - part.windows.frames + 1, hop)
        else:
            first = part.excerpts[index] * hop
        tracks.append(np.full(len(first), index))
        starts.append(first)
    return np.concatenate(tracks), np.concatenate(starts)


def cut(part: Part, track: np.ndarray, start: np.ndarray, frames: int) -> np.ndarray:
    """Windows of `frames` frames as float32 octaves, [n, frames, 128]. Where a track ends, its last frame is repeated."""
    out = np.empty((len(track), frames, MEL_BANDS), np.float32)
    for row, (index, first) in enumerate(zip(track, start)):
        piece = part.features[index][first : first + frames]
        out[row, : len(piece)] = piece
        out[row, len(piece) :] = piece[-1]
    return out / np.float32(OCTAVE)
