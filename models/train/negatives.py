"""Writes sounds that aren't music: what a device hears when nobody plays any. Trained on with every genre equally
likely, they teach the network to stay undecided.

    OUT/<kind>/<number>.wav      16 bits, mono, 22,050 Hz, 12 s; kinds: noise, hum, tones, knocks, speech

Every clip is drawn from its own seed, kind and number, so that more clips leave the first ones as they are. Speech
comes from flite's recorded voices (`apt install flite`). What the evaluation calls not music has generators of its
own, in the runtime, and another speech synthesizer; none of it is heard here.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly, sosfilt

RATE = 22_050
SECONDS = 12
SAMPLES = RATE * SECONDS
VOICES = ("kal16", "awb", "rms", "slt")
WORDS = (
    "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but "
    "not what all were we when your can said there use an each which she do how their if will up other about out many "
    "then them these so some her would make like him into time has look two more write go see number no way could "
    "people my than first water been call who oil its now find long down day did get come made may part over new "
    "sound take only little work know place year live me back give most very after thing our just name good sentence "
    "man think say great where help through much before line right too mean old any same tell boy follow came want "
    "show also around form three small set put end does another well large must big even such because turn here why "
    "ask went men read need land different home us move try kind hand picture again change off play spell air away "
    "animal house point page letter mother answer found study still learn should world kitchen weather tomorrow"
).split()


class NegativesError(Exception):
    """The sounds cannot be made."""


def shaped_noise(rng: np.random.Generator, samples: int = SAMPLES) -> np.ndarray:
    """Noise of a random spectrum (tilt between −2 and 1, two broad bumps), steady or swelling."""
    frequency = np.fft.rfftfreq(samples, 1 / RATE)[1:]
    octave = np.log2(frequency / 600)
    gain = rng.uniform(-2, 1) * octave
    for _ in range(2):
        gain += rng.uniform(-3, 3) * np.exp(-0.5 * ((octave - rng.uniform(-3, 4)) / rng.uniform(0.3, 1.5)) ** 2)
    spectrum = 2 ** (gain / 2) * np.exp(2j * np.pi * rng.random(len(gain)))
    noise = np.fft.irfft(np.concatenate([[0], spectrum]), samples)
    if rng.random() < 0.5:
        swell = np.interp(np.arange(samples), np.linspace(0, samples, 25), rng.uniform(-3, 0, 25))
        noise *= 2**swell
    return noise


def hum(rng: np.random.Generator) -> np.ndarray:
    """Motors, whose fundamental wanders a little, and transformers, which are steady: harmonics, loud or faint noise."""
    steady = rng.random() < 0.6
    wander = np.interp(np.arange(SAMPLES), np.linspace(0, SAMPLES, 9), rng.normal(0, 0 if steady else 0.003, 9))
    phase = 2 * np.pi * np.cumsum(rng.uniform(30, 220) * (1 + wander)) / RATE
    decay = rng.uniform(0.3, 2.0)
    harmonics = [k**-decay * rng.random() * np.sin(k * phase + rng.uniform(0, 7)) for k in range(1, 25)]
    return unit(sum(harmonics)) + 10 ** rng.uniform(-4, -0.5) * unit(shaped_noise(rng))


def tones(rng: np.random.Generator) -> np.ndarray:
    """One to four tones: whistles, beeps and sirens; some sweep, some are cut into pulses."""
    time = np.arange(SAMPLES) / RATE
    total = np.zeros(SAMPLES)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        pitch = np.log2(rng.uniform(80, 6000))
        if rng.random() < 0.3:
            pitch = pitch + rng.uniform(0, 1) * np.sin(2 * np.pi * rng.uniform(0.05, 5) * time)
        tone = np.sin(2 * np.pi * np.cumsum(2**pitch * np.ones(SAMPLES)) / RATE)
        if rng.random() < 0.4:
            tone *= (time * rng.uniform(0.3, 4)) % 1 < rng.uniform(0.1, 0.9)
        total += rng.uniform(0.2, 1) * tone
    return total + 10 ** rng.uniform(-4, -1) * unit(shaped_noise(rng))


def knocks(rng: np.random.Generator) -> np.ndarray:
    """Doors, dishes and steps: bursts that ring in two resonances, at random times, over faint noise."""
    total = 10 ** rng.uniform(-4, -1.5) * unit(shaped_noise(rng))
    for start in rng.integers(0, SAMPLES, rng.integers(3, 60)):
        length = min(SAMPLES - start, int(RATE * rng.uniform(0.02, 0.5)))
        time = np.arange(length) / RATE
        ring = sum(np.sin(2 * np.pi * rng.uniform(80, 4000) * time) for _ in range(2))
        burst = (ring + rng.normal(0, 1, length)) * np.exp(-time * rng.uniform(8, 80))
        total[start : start + length] += rng.uniform(0.1, 1) * burst
    return total


def speech(rng: np.random.Generator) -> np.ndarray:
    """One of flite's voices says random words, at its own pace and pitch; sometimes a second one talks too."""
    total = _spoken(rng)
    if rng.random() < 0.25:
        total = total + rng.uniform(0.1, 1) * _spoken(rng)
    return total + 10 ** rng.uniform(-4, -1.2) * unit(shaped_noise(rng))


def _spoken(rng: np.random.Generator) -> np.ndarray:
    words = " ".join(str(word) + ("." if rng.random() < 0.12 else "") for word in rng.choice(WORDS, 60))
    stretch, voice = rng.uniform(0.8, 1.25), str(rng.choice(VOICES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}", "-t", words, "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        rate, samples = wavfile.read(path)
    # Another rate is another throat: larger or smaller by up to a quarter.
    samples = resample_poly(samples.astype(float), RATE, round(rate * 1.25 ** rng.uniform(-1, 1) / 100) * 100)
    return unit(np.resize(samples, SAMPLES))


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "noise": shaped_noise,
    "hum": hum,
    "tones": tones,
    "knocks": knocks,
    "speech": speech,
}


def unit(x: np.ndarray) -> np.ndarray:
    """Scaled to a root mean square of 1."""
    return x / np.sqrt(np.mean(x**2) + 1e-20)


def clip(kind: str, number: int, seed: int) -> np.ndarray:
    """One clip, int16 [SAMPLES], with a level between −45 and −9 dB of full scale."""
    rng = np.random.default_rng((seed, zlib.crc32(kind.encode()), number))
    sound = unit(_coloured(KINDS[kind](rng), rng)) * 10 ** (rng.uniform(-45, -9) / 20)
    return (np.clip(sound, -1, 1) * 32767).round().astype(np.int16)


def _coloured(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small microphone's low cut: one pole pair between 20 and 300 Hz."""
    pole = np.exp(-2 * np.pi * rng.uniform(20, 300) / RATE)
    return sosfilt([[1, -2, 1, 1, -2 * pole, pole * pole]], x)


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Writes beside and renames: an interruption leaves no half file."""
    partial = path.with_suffix(".partial")
    wavfile.write(partial, RATE, samples)
    partial.replace(path)


def write(out: Path, count: int, seed: int) -> None:
    """Writes `count` clips of every kind; clips that are there already stay."""
    if shutil.which("flite") is None:
        raise NegativesError("flite is missing, which speaks the speech: apt install flite")
    for kind in KINDS:
        folder = out / kind
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            path = folder / f"{number:04d}.wav"
            if not path.is_file():
                write_wav(path, clip(kind, number, seed))
        print(f"{kind}: {count} clips of {SECONDS} s in {folder}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write sounds that aren't music, for training with `train.py --not-music`.",
        epilog="example: python models/train/negatives.py --out not-music && "
        "harmonynet features --out not-music-features not-music",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for <kind>/<number>.wav")
    parser.add_argument("--count", type=int, default=120, metavar="N", help="clips per kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything random (default: %(default)s)")
    args = parser.parse_args()
    try:
        write(args.out, args.count, args.seed)
    except (NegativesError, subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"negatives: {error}")


if __name__ == "__main__":
    main()
