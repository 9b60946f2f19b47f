"""Collects music without labels that anybody may use: clips of the music in games, out of Debian's packages.

    OUT/coded/music/<package>-<piece>-<clip>.mp3      32 kbit/s, mono, 22,050 Hz, as GTZAN's recordings
    OUT/original/music/<package>-<piece>-<clip>.wav   the same before coding: 16 bits
    OUT/sources/<package>.csv                         clip, package's version, its file, where in it the clip begins

Some 1700 clips of 30 s: orchestras, electronic music, rock, jazz, folk; the packages' copyright files name authors and
licences. Nobody has told their genre, and nobody needs to: musicnn.py writes down what it hears in them, and listen.py and
train.py learn from that. The two forms teach besides that a song is the same before and after coding.

Needs Debian or one of its kin (apt-get, dpkg-deb) and ffmpeg; nothing is installed. About 2 GB are fetched, package by
package; a package that this release hasn't got is named and left out. Run it again to go on.

    python models/train/collect.py --out music
    harmonynet features --out coded-features music/coded
    harmonynet features --out original-features music/original
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from table import table_text

PACKAGES = """
    a7xpg-data amoebax-data ardentryst asc-music berusky2-data btanks-data caveexpress-data cube2-data drascula-music
    endless-sky-data extremetuxracer-data fillets-ng-data flare-game freedroid-data freedroidrpg-data freeorion-data
    fretsonfire-songs-muldjord fretsonfire-songs-sectoid frozen-bubble-data gigalomania-data gunroar-data hedgewars-data
    hex-a-hop-data hyperrogue-music lincity-ng-data lordsawar-data lugaru-data marsshooter-data megaglest-data miceamaze
    mu-cade-data naev-data neverball-common openclonk-data parsec47-data performous photofilmstrip pinball-table-gnu-data
    planetblupi-music-ogg plee-the-bear-data pushover-data redeclipse-data rrootage-data singularity-music solarwolf
    starfighter-data supertux-data supertuxkart-data titanion-data torcs-data torus-trooper-data trackballs-data
    tumiki-fighters-data tuxfootball tuxtype-data unknown-horizons warmux-data warzone2100-music wesnoth-1.16-music
    widelands-data wizznic-data wordwarvi-sound xmoto-data zaz-data
""".split()
ENDINGS = (".ogg", ".mp3", ".opus", ".flac", ".wav")
SHORTEST = 45.0  # seconds: what is shorter is an effect or a loop
CLIP = 30  # seconds
MOST_CLIPS = 4  # of one piece
COLUMNS = ["clip", "package", "version", "file", "begins_seconds"]


class CollectError(Exception):
    """Something that is needed is missing; the text says what."""


def output_of(*call: object) -> str:
    """What a program says; nothing where it fails."""
    return subprocess.run([str(word) for word in call], capture_output=True, text=True).stdout.strip()


def seconds_of(path: Path) -> float:
    """How long a recording is; 0 where it is none."""
    said = output_of("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path)
    try:
        return float(said)
    except ValueError:
        return 0.0


def begins(seconds: float) -> list[float]:
    """Where the clips of a piece begin: up to four, evenly over it, without its first and last seconds."""
    count = min(MOST_CLIPS, int(seconds // SHORTEST))
    return [round(5 + (seconds - CLIP - 10) * (place + 0.5) / count, 1) for place in range(count)]


def write_clip(piece: Path, begin: float, original: Path, coded: Path) -> bool:
    """Both forms of a clip; the coded one last, so that it stands for both. Whether the piece could be read there."""
    if coded.is_file():
        return True
    silent = ["ffmpeg", "-v", "error", "-y"]
    partial = original.with_suffix(".partial")
    subprocess.run(
        [*silent, "-ss", str(begin), "-t", str(CLIP), "-i", piece, "-vn", "-ac", "1", "-ar", "22050", "-f", "wav", partial],
        capture_output=True,
    )
    if seconds_of(partial) < CLIP - 1:
        partial.unlink(missing_ok=True)
        return False
    partial.replace(original)
    partial = coded.with_suffix(".partial")
    subprocess.run([*silent, "-i", original, "-b:a", "32k", "-f", "mp3", partial], check=True, capture_output=True)
    partial.replace(coded)
    return True


def clips_of(package: str, version: str, unpacked: Path, out: Path, jobs: int) -> list[list[object]]:
    """Writes the clips of an unpacked package; their rows of the table."""
    found = (path for path in sorted(unpacked.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file())
    pieces = [(path, seconds) for path in found if (seconds := seconds_of(path)) >= SHORTEST]
    wanted = []
    for number, (piece, seconds) in enumerate(pieces):
        for place, begin in enumerate(begins(seconds)):
            wanted.append((piece, begin, f"{package}-{number:02d}-{place}"))

    def write(one: tuple[Path, float, str]) -> bool:
        piece, begin, name = one
        return write_clip(piece, begin, out / "original" / "music" / f"{name}.wav", out / "coded" / "music" / f"{name}.mp3")

    with ThreadPoolExecutor(jobs) as pool:
        written = list(pool.map(write, wanted))
    return [
        [name, package, version, piece.relative_to(unpacked), begin]
        for (piece, begin, name), there in zip(wanted, written)
        if there
    ]


def collect(out: Path, packages: list[str], jobs: int) -> tuple[int, list[str]]:
    """Every package that isn't there yet; how many clips there are then, and the packages that this release hasn't got."""
    for program, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("ffmpeg", "ffmpeg"), ("ffprobe", "ffmpeg")):
        if shutil.which(program) is None:
            raise CollectError(f"{program} is missing: this needs Debian or one of its kin, and apt install {package}")
    for folder in (out / "coded" / "music", out / "original" / "music", out / "sources"):
        folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for number, package in enumerate(packages, 1):
        table = out / "sources" / f"{package}.csv"
        if table.is_file():
            continue
        with tempfile.TemporaryDirectory(dir=out) as name:
            scratch = Path(name)
            fetched = subprocess.run(["apt-get", "download", "-qq", package], cwd=scratch, capture_output=True, text=True)
            archives = list(scratch.glob("*.deb"))
            if fetched.returncode != 0 or not archives:
                print(f"{package}: {(fetched.stderr.strip() or 'not fetched').splitlines()[-1]}", flush=True)
                missing.append(package)
                continue
            subprocess.run(["dpkg-deb", "-x", archives[0], scratch / "unpacked"], check=True, capture_output=True)
            rows = clips_of(package, output_of("dpkg-deb", "-f", archives[0], "Version"), scratch / "unpacked", out, jobs)
        partial = table.with_suffix(".partial")
        partial.write_text(table_text(COLUMNS, rows), encoding="utf-8")
        partial.replace(table)
        print(f"{number} of {len(packages)} packages: {package}, {len(rows)} clips", flush=True)
    return len(list((out / "coded" / "music").glob("*.mp3"))), missing


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Collect clips of freely usable music without labels out of Debian's packages. Run it again to go on.",
        epilog="example: python models/train/collect.py --out music",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for coded/, original/ and sources/")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="at a time (default: %(default)s)")
    args = parser.parse_args()
    try:
        clips, missing = collect(args.out, PACKAGES, args.jobs)
    except (CollectError, subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"collect: {error}")
    except KeyboardInterrupt:
        sys.exit("collect: interrupted; run the same command to go on")
    if missing:
        print(f"left out, for this release hasn't got them (apt-get update?): {', '.join(missing)}")
    if not clips:
        sys.exit("collect: no clip was written: no package could be fetched; apt-get update?")
    print(f"{args.out}: {clips} clips")


if __name__ == "__main__":
    main()
