"""Writes tracks as devices in rooms would hear them, to train on: recordings in, recordings out.

    OUT/<take>/<genre>/<track>.wav      16 bits, mono, 22,050 Hz; as long as the recording, and in time with it

Each take of a track has its own room, loudspeaker, microphone and noise. A room is statistical (Moorer 1979): a direct
sound, a handful of early echoes, and noise that decays in three bands, each at its own rate. Rooms by which models are
judged are built otherwise, of walls and mirror images, in the runtime; none of their numbers is used here.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import sys
import zlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from negatives import RATE, shaped_noise, unit, write_wav
from table import find_recordings, genre_of, genres_of, read_table

BANDS_HZ = ((20, 500), (500, 2500), (2500, 10_000))
PEAK = 0.5
MURMUR_SHARE = 0.35  # of the takes: people talk instead of steady noise


class RoomsError(Exception):
    """The recordings cannot be read or written."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Between `low` and `high`, every octave equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def response(rng: np.random.Generator) -> np.ndarray:
    """A room's impulse response, direct sound first: 60 dB of decay take 0.15 to 3 s in the middle band; the room is
    12 dB weaker to 14 dB stronger than the direct sound."""
    seconds = log_uniform(rng, 0.15, 3.0)
    bands = [seconds * rng.uniform(0.8, 1.6), seconds, seconds * rng.uniform(0.4, 1.0)]
    time = np.arange(int(RATE * max(bands))) / RATE
    late = np.zeros(len(time))
    for (low, high), decay in zip(BANDS_HZ, bands):
        band = sosfilt(butter(2, (low, high), "bandpass", fs=RATE, output="sos"), rng.normal(0, 1, len(time)))
        late += band * 10 ** (-3 * time / decay)
    for _ in range(rng.integers(4, 25)):
        place = int(RATE * log_uniform(rng, 0.0008, 0.06))
        late[place] += rng.uniform(-1, 1) * rng.uniform(0, 12) * 10 ** (-3 * place / RATE / seconds)
    late[: int(RATE * 0.0005)] = 0
    late *= 10 ** (rng.uniform(-12, 14) / 20) / np.sqrt((late**2).sum())
    late[0] = 1.0
    return late


def device(rng: np.random.Generator) -> np.ndarray:
    """A loudspeaker's or a microphone's second-order sections: a low cut, at times a high cut, up to three bumps."""
    sections = [butter(2, log_uniform(rng, 30, 400), "highpass", fs=RATE, output="sos")]
    if rng.random() < 0.4:
        sections.append(butter(2, log_uniform(rng, 3000, 10_000), "lowpass", fs=RATE, output="sos"))
    sections += [bump(log_uniform(rng, 120, 8000), rng.uniform(-8, 8), rng.uniform(0.6, 4)) for _ in range(rng.integers(4))]
    return np.concatenate(sections)


def bump(hz: float, db: float, q: float) -> np.ndarray:
    """A peaking equalizer (Bristow-Johnson, *Cookbook formulae for audio EQ*), one section [1, 6]."""
    amplitude, omega = 10 ** (db / 40), 2 * np.pi * hz / RATE
    alpha, cos = np.sin(omega) / (2 * q), np.cos(omega)
    numerator = np.array([1 + alpha * amplitude, -2 * cos, 1 - alpha * amplitude])
    denominator = np.array([1 + alpha / amplitude, -2 * cos, 1 - alpha / amplitude])
    return np.concatenate([numerator, denominator])[None] / denominator[0]


def murmur(voices: list[np.ndarray], samples: int, rng: np.random.Generator) -> np.ndarray:
    """Two to six people talk at once, each somewhere in the room: the direct sound of none is left."""
    chosen = [voices[i] for i in rng.integers(0, len(voices), rng.integers(2, 7))]
    each = [np.roll(np.resize(unit(voice), samples), rng.integers(samples)) * rng.uniform(0.3, 1) for voice in chosen]
    room = response(rng)
    room[0] = 0.0
    return fftconvolve(np.sum(each, axis=0), room)[:samples]


def heard(sound: np.ndarray, voices: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """A recording through a loudspeaker, a room and a microphone, with noise or, where there are voices, at times a
    murmur 8 to 45 dB below it; its length is kept."""
    played = sosfilt(device(rng), sound)
    in_room = unit(fftconvolve(played, response(rng))[: len(sound)])
    talking = rng.random() < MURMUR_SHARE and bool(voices)
    disturbance = murmur(voices, len(sound), rng) if talking else shaped_noise(rng, len(sound))
    noise = unit(disturbance) * 10 ** (-rng.uniform(8, 45) / 20)
    x = sosfilt(device(rng), in_room + noise)
    return x * (PEAK / max(float(np.abs(x).max()), 1e-9))


@dataclass(frozen=True)
class Task:
    """One take of one track."""

    source: Path
    to: Path
    seed: tuple[int, int, int]
    speech: Path | None


@functools.cache
def read_voices(folder: Path | None) -> list[np.ndarray]:
    """The clips in a folder that `negatives.py` wrote; none without a folder."""
    if folder is None:
        return []
    paths = sorted(folder.glob("*.wav"))
    if not paths:
        raise RoomsError(f"{folder}: no *.wav; negatives.py writes speech to its folder 'speech'")
    return [soundfile.read(path)[0] for path in paths]


def take(task: Task) -> None:
    """Writes one take, unless it is there."""
    if task.to.is_file():
        return
    try:
        sound, rate = soundfile.read(task.source, always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise RoomsError(f"{task.source}: {error}") from None
    mono = sound.mean(1)
    if rate != RATE:
        common = np.gcd(rate, RATE)
        mono = resample_poly(mono, RATE // common, rate // common)
    samples = (heard(mono, read_voices(task.speech), np.random.default_rng(task.seed)) * 32767).round().astype(np.int16)
    task.to.parent.mkdir(parents=True, exist_ok=True)
    write_wav(task.to, samples)


def recordings_of(args: argparse.Namespace) -> list[Path]:
    """The recordings of the tracks that are wanted, sorted by track. A table without genres may name a track that only
    one genre has."""
    found = find_recordings(args.audio, RoomsError)
    genres, chosen, missing = genres_of(found), {}, []
    for row in read_table(args.split, ("track", args.split_column), RoomsError):
        if not (args.all or row[args.split_column] == "train"):
            continue
        key = (genre_of(row, genres, args.split, RoomsError), row["track"])
        if key in found:
            chosen[key] = found[key]
        else:
            missing.append(row["track"])
    if missing:
        raise RoomsError(f"{args.audio}: no recording of {len(missing)} tracks, first {missing[0]}")
    if not chosen:
        raise RoomsError(f"{args.split}: no track has 'train' in the column {args.split_column!r}")
    return sorted(chosen.values(), key=lambda path: (path.stem, path.parent.name))


def tasks(args: argparse.Namespace) -> list[Task]:
    """Every take of every track that is wanted."""
    todo = []
    for number, source in product(range(1, args.takes + 1), recordings_of(args)):
        to = args.out / str(number) / source.parent.name / f"{source.stem}.wav"
        todo.append(Task(source, to, (args.seed, number, name_hash(source.stem)), args.speech))
    return todo


def name_hash(track: str) -> int:
    """Of a track's name, so that its rooms don't depend on the other tracks."""
    return zlib.crc32(track.encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write training tracks as devices in rooms would hear them, for `train.py --rooms`.",
        epilog="example: python models/train/rooms.py --audio gtzan-mp3 --split gtzan.csv --out rooms && "
        "for take in rooms/*; do harmonynet features --out rooms-features/${take##*/} $take; done",
    )
    parser.add_argument("--audio", type=Path, required=True, metavar="DIR", help="folders of recordings, one per genre")
    parser.add_argument("--split", type=Path, required=True, metavar="CSV", help="table with the columns track and a part")
    parser.add_argument("--split-column", default="fault_filtered_split", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--all", action="store_true", help="every track, not only those to train on: for study.py, whose splits differ"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for <take>/<genre>/<track>.wav")
    parser.add_argument("--takes", type=int, default=4, metavar="N", help="rooms per track (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything random (default: %(default)s)")
    parser.add_argument("--speech", type=Path, metavar="DIR", help="clips of speech (see negatives.py) that murmur at times")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes (default: %(default)s)")
    args = parser.parse_args()
    try:
        todo = tasks(args)
        read_voices(args.speech)
        with multiprocessing.Pool(args.jobs) as pool:
            for done, _ in enumerate(pool.imap_unordered(take, todo, chunksize=8), 1):
                if done % 200 == 0 or done == len(todo):
                    print(f"{done} of {len(todo)} takes", flush=True)
    except (RoomsError, OSError) as error:
        sys.exit(f"rooms: {error}")


if __name__ == "__main__":
    main()
