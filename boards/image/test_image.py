#!/usr/bin/env python3
"""Boots an image in QEMU, plays music to it, cuts its power: boards/image/test_image.py IMAGE [--cuts N] [--seed N].

What differs from a board with the flashed card:
- harmonynet.toml of the FAT partition names microphone and display, as a person would;
- a fourth partition brings what isn't there: music and its player, settings and an update to write;
- a second archive behind the image's initramfs loads the kernel's loopback card, which is the microphone, and has a root shell on the
  serial console;
- nothing is given up for being slow, for the emulator shares its machine;
- words at the end of the kernel's command line show the journal on the serial console, and spare the emulator what it can't do.
"""

import argparse
import json
import pathlib
import signal
import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import cuts
from board import BOOT_S, BRIGHTNESS, LINES_SETTINGS, SETTINGS, Board
from guest import Failure

# A genre and how sure it is, as the program prints them.
VERDICT = r"\d\.\d\d s +(genre|unsure) +\w+ +\d+ %"
TOP = pathlib.Path(__file__).resolve().parent.parent.parent
Seen = TypeVar("Seen", bytes, int)


def three_different(look: Callable[[], Seen]) -> set[Seen]:
    """What is seen until there are three different things; fewer after ten minutes."""
    seen: set[Seen] = set()
    deadline = time.monotonic() + BOOT_S
    while len(seen) < 3 and time.monotonic() < deadline:
        seen.add(look())
        time.sleep(0.5)
    return seen


def race(board: Board, counted: bool = False) -> tuple[float, float]:
    """Seconds from the kernel's start to a first program that only prints, and to listening."""
    bare = board.bare_init(counted)
    guest = board.boot(counted=counted)
    listening = board.wait_until_listening(guest)
    guest.cut()
    return bare, listening


def hears(board: Board) -> None:
    """Boots, hears music, shows it, is switched off. By instructions, so that a busy machine doesn't make it too slow for the music."""
    guest = board.boot(counted=True)
    listening = board.wait_until_listening(guest)
    print(f"kernel start to listening: {listening:.1f} s", flush=True)
    verdict = guest.expect(VERDICT, BOOT_S).group(0)
    print(f"verdict in the journal: {verdict}", flush=True)
    genre, expected = verdict.split()[-3], board.genres()
    if genre not in expected:
        raise Failure(f"of the same sound this machine's program says {', '.join(sorted(expected))}, not {genre}")
    print(f"the same as this machine's program says of that sound: {', '.join(sorted(expected))}", flush=True)
    used, service = board.memory(guest)
    print(f"memory: {used >> 10} MiB used of the system, {service >> 10} MiB of them the service's", flush=True)
    name = guest.command("cat /proc/sys/kernel/hostname").strip()
    if name != "harmonynet":
        raise Failure(f"its name is {name}")
    guest.expect_ever(r"systemd-resolved.*Using system hostname 'harmonynet'", BOOT_S)
    print("announced as harmonynet.local", flush=True)
    pictures = three_different(board.picture)
    if len(pictures) < 3:
        raise Failure(f"the display shows the same picture for ten minutes: {board.picture().hex()}")
    print(f"display, seen from outside: {len(pictures)} different pictures, the last {board.picture().hex()}", flush=True)
    begun = time.monotonic()
    guest.type("systemctl poweroff")
    guest.ends(BOOT_S)
    print(f"switched off in {time.monotonic() - begun:.1f} s", flush=True)


def lights(board: Board) -> None:
    """Boots with an LED per genre instead of the display."""
    board.card.put("harmonynet.toml", LINES_SETTINGS)
    guest = board.boot(counted=True)
    board.wait_until_listening(guest)
    levels = three_different(board.lines)
    guest.cut()
    if len(levels) < 3:
        raise Failure(f"the LEDs don't change for ten minutes: {levels}")
    print(f"LEDs on GPIO, seen from outside: lines {', '.join(f'{level:#x}' for level in sorted(levels))}", flush=True)
    board.card.put("harmonynet.toml", SETTINGS.format(brightness=BRIGHTNESS))


def races(board: Board, rounds: int) -> None:
    """How long it takes from the kernel's start to listening, against a first program that only prints; in turns, for the machine
    that emulates is busy with other things, too."""
    ratios = []
    for number in range(rounds):
        bare, listening = race(board)
        ratios.append(listening / bare)
        print(f"race {number + 1}: bare init {bare:.2f} s, listening {listening:.2f} s: {ratios[-1]:.2f} times", flush=True)
    if ratios:
        print(f"kernel start to listening: {statistics.median(ratios):.2f} times a bare init, median of {rounds}", flush=True)
    bare, listening = race(board, counted=True)
    print(
        f"by instructions, {1 << board.SHIFT} ns each, on one core: bare init {bare:.2f} s, listening {listening:.2f} s: "
        f"{listening / bare:.2f} times",
        flush=True,
    )


def main() -> int:
    """Runs the parts in order; the first thing that doesn't happen ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    parser.add_argument("--races", type=int, default=3)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=("hears", "lights", "races", "cuts"), help="this part alone")
    parser.add_argument("--resume", action="store_true", help="go on with the power cuts of a run that was ended")
    parser.add_argument("--update", type=pathlib.Path, required=True, help="the Debian package that is installed as an update")
    parser.add_argument("--work", type=pathlib.Path, default=TOP / "target/image/test")
    options = parser.parse_args()
    # Ended from outside it takes its emulator along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.work.mkdir(parents=True, exist_ok=True)
    progress = options.work / "cuts.json"
    parts = [options.part] if options.part else ["hears", "lights", "races", "cuts"]
    try:
        board = Board(options.image, options.qemu, options.work, options.update, fresh=not options.resume)
        if options.resume:
            parts = ["cuts"]
        else:
            progress.unlink(missing_ok=True)
            (options.work / "console.log").unlink(missing_ok=True)
        if "hears" in parts:
            hears(board)
        if "lights" in parts:
            lights(board)
        if "races" in parts:
            races(board, options.races)
        if "cuts" in parts and options.cuts:
            begun = json.loads(progress.read_text()) if progress.exists() else None
            cuts.survive(board, cuts.Plan(**begun) if begun else cuts.plan(board, options.cuts, options.seed), progress)
    except Failure as failure:
        print(f"FAILED: {failure}\nthe whole console: {options.work / 'console.log'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
