#!/usr/bin/env python3
"""Boots an image in QEMU, plays music to it, cuts its power: boards/image/test_image.py IMAGE [--cuts N] [--seed N].

What differs from a board with the flashed card:
- harmonynet.toml of the FAT partition names microphone and display, as a person would;
- a second archive behind the image's initramfs brings what isn't there: music and its player (the microphone is the kernel's loopback
  card), and a root shell on the serial console;
- nothing is given up for being slow, for the emulator shares its machine;
- words at the end of the kernel's command line show the journal on the serial console, and spare the emulator what it can't do.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

from guest import MACHINES, Card, Failure, Guest, archive, run

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
ADDRESS = 0x70
# An EEPROM stands where the display would be, and keeps what is written. The smallest that the emulator takes a file for: bit 8 of an
# address is bit 0 of the one before, so that a picture lies at 0 or at 256.
EEPROM_BYTES = 512
# A genre and how sure it is, as the program prints them.
VERDICT = r"\d\.\d\d s +(genre|unsure) +\w+ \d+ %"
# The emulator runs on whatever else the machine does.
BOOT_S = 600.0

SETTINGS = """[microphone]
device = "hw:CARD=Loopback,DEV=0"

[display]
kind = "ht16k33"
address = 0x70
brightness = {brightness}
"""

# What a person may have meant; the last settings that were right hold.
BROKEN = "[display\nkind = "
BRIGHTNESSES = (10, 20)
# What is written when the power is cut: settings, of which one key changes, and an update.
WRITER = """#!/bin/sh
mkdir -p /run/card
mount --bind /run/card /boot/firmware
while :; do
  for file in /opt/settings-*; do
    cp $file /boot/firmware/harmonynet.toml
    harmonynet-appliance settings
  done
done &
while :; do harmonynet-appliance update /opt/update.deb; done
"""

# Copies what the archive brings into the root in memory, then does what the image's own program of this name does.
SWITCH_ROOT = """#!/bin/sh
cp -r /added/. /root/
chroot /root /usr/sbin/modprobe snd-aloop
exec /bin/busybox switch_root "$@"
"""
SHELL_UNIT = """[Unit]
DefaultDependencies=no
After=harmonynet.service
[Service]
ExecStart=/bin/sh
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
"""
MUSIC_UNIT = """[Unit]
DefaultDependencies=no
[Service]
ExecStart=/opt/player plughw:CARD=Loopback,DEV=1 /opt/music.s32
Restart=always
RestartSec=1
"""


class Test:
    """One image in one emulator."""

    def __init__(self, image: pathlib.Path, qemu: str, work: pathlib.Path, update: pathlib.Path) -> None:
        self.family = next(family for family in MACHINES if image.name.endswith(f"-{family}.img"))
        self.machine = MACHINES[self.family]
        self.qemu = qemu
        self.work = work
        self.update = update
        self.log = work / "console.log"
        self.card = Card(image, work / "card.img")
        self.kernel = self.card.get(self.machine.kernel, work / "kernel")
        self.tree = self.card.get(self.machine.device_tree, work / "board.dtb")
        self.words = self.card.get("cmdline.txt", work / "cmdline.txt").read_text().strip()
        self.eeprom = work / "display.bin"
        self.initramfs = work / "initramfs.img"
        images = self.card.get("initramfs.img", work / "image-initramfs.img").read_bytes()
        # The kernel looks for the next archive at multiples of four.
        self.initramfs.write_bytes(images + bytes(-len(images) % 4) + self._added())
        self.card.put("harmonynet.toml", SETTINGS.format(brightness=30))

    def _compile(self, source: str, *flags: str) -> bytes:
        program = self.work / source.removesuffix(".c")
        run(self.machine.compiler, "-O1", "-o", program, HERE / source, *flags)
        return program.read_bytes()

    def _music(self) -> bytes:
        """Self-made music: the program writes it to a file for alsa-lib's file plugin, and that is taken."""
        program = os.environ.get("HARMONYNET", str(TOP / "target/release/harmonynet"))
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder}
            listener = subprocess.Popen(
                [program, "listen", "--demo=metal"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            assert listener.stdout
            # It has heard something, so the file is whole.
            listener.stdout.readline()
            music = next(pathlib.Path(folder).glob("*/music.s32")).read_bytes()
            listener.kill()
            listener.wait()
        return music

    def _added(self) -> bytes:
        sysroot = f"--sysroot={TOP}/target/sysroot/{self.machine.sysroot}"
        system = "added/etc/systemd/system"
        settings = {
            f"added/opt/settings-{brightness}": (0o644, SETTINGS.format(brightness=brightness).encode())
            for brightness in BRIGHTNESSES
        }
        return archive(
            {
                **settings,
                "added/opt/update.deb": (0o644, self.update.read_bytes()),
                "added/opt/writer": (0o755, WRITER.encode()),
                "bin/switch_root": (0o755, SWITCH_ROOT.encode()),
                "added/opt/player": (0o755, self._compile("player.c", sysroot, "-lasound")),
                "added/opt/music.s32": (0o644, self._music()),
                "added/etc/systemd/system.conf.d/test.conf": (0o644, b"[Manager]\nDefaultTimeoutStartSec=infinity\n"),
                f"{system}/test-music.service": (0o644, MUSIC_UNIT.encode()),
                f"{system}/test-shell.service": (0o644, SHELL_UNIT.encode()),
                f"{system}/multi-user.target.d/test.conf": (
                    0o644,
                    b"[Unit]\nWants=test-music.service test-shell.service\n",
                ),
            }
        )

    def boot(self, initramfs: pathlib.Path | None = None) -> Guest:
        """Switches the board on."""
        self.eeprom.write_bytes(bytes(EEPROM_BYTES))
        words = f"{self.words} systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info {self.machine.words}"
        ports = ["-serial", "null"] * self.machine.ports_before
        return Guest(
            [
                self.qemu, *self.machine.arguments, "-accel", "tcg,thread=multi", "-display", "none", "-monitor", "none", "-no-reboot",
                *ports, "-serial", "stdio",
                "-kernel", str(self.kernel), "-dtb", str(self.tree), "-initrd", str(initramfs or self.initramfs), "-append", words,
                "-drive", f"file={self.card.path},format=raw,if=sd",
                "-drive", f"file={self.eeprom},format=raw,if=none,id=display",
                "-device", f"at24c-eeprom,bus=i2c-bus.1,address={ADDRESS},rom-size={EEPROM_BYTES},address-size=1,drive=display",
            ],
            self.log,
        )  # fmt: skip

    def bare_init(self) -> float:
        """Seconds from the kernel's start to a first program that only prints."""
        initramfs = self.work / "bare.img"
        initramfs.write_bytes(archive({"init": (0o755, self._compile("bare_init.c", "-static"))}))
        guest = self.boot(initramfs)
        seconds = float(guest.expect(r"bare init at ([\d.]+)", BOOT_S).group(1))
        guest.cut()
        return seconds

    def wait_until_listening(self, guest: Guest) -> float:
        """Seconds from the kernel's start to the service's first sound."""
        deadline = time.monotonic() + BOOT_S
        # What is typed before the shell reads is lost, or read later.
        while True:
            guest.type("echo; echo @@ready")
            try:
                guest.expect("^@@ready$", 5)
                break
            except Failure:
                if time.monotonic() > deadline:
                    raise
        while True:
            state = guest.command("systemctl show harmonynet -p ActiveState -p StatusText -p ActiveEnterTimestampMonotonic")
            fields = dict(line.split("=", 1) for line in state.splitlines() if "=" in line)
            if fields.get("ActiveState") == "active" and "no such" not in fields.get("StatusText", ""):
                return int(fields["ActiveEnterTimestampMonotonic"]) / 1e6
            if time.monotonic() > deadline:
                raise Failure(f"not listening: {state}")
            time.sleep(1)


def display(test: Test) -> bytes:
    """What was written to the display's memory, which begins at 0: the latest two pictures."""
    memory = test.eeprom.read_bytes()
    return memory[:16] + memory[256:272]


def hears(test: Test, bare_s: float) -> dict[str, float]:
    """Boots, hears music, shows it, is switched off."""
    guest = test.boot()
    listening = test.wait_until_listening(guest)
    print(f"kernel start to listening: {listening:.1f} s, {listening / bare_s:.2f} times a bare init", flush=True)
    verdict = guest.expect(VERDICT, 300).group(0)
    print(f"verdict in the journal: {verdict}", flush=True)
    memory = guest.command("systemctl show harmonynet -p MemoryCurrent; grep -E 'MemTotal|MemAvailable' /proc/meminfo")
    total, available = (int(re.search(rf"{name}: +(\d+)", memory).group(1)) for name in ("MemTotal", "MemAvailable"))  # type: ignore[union-attr]
    service = int(re.search(r"MemoryCurrent=(\d+)", memory).group(1)) >> 10  # type: ignore[union-attr]
    print(f"memory: {(total - available) >> 10} MiB used of the system, {service >> 10} MiB of them the service's", flush=True)
    pictures = set()
    deadline = time.monotonic() + 120
    while len(pictures) < 3 and time.monotonic() < deadline:
        pictures.add(display(test))
        time.sleep(0.5)
    if len(pictures) < 3:
        raise Failure(f"the display at {ADDRESS:#x} shows the same picture for two minutes: {display(test).hex()}")
    print(f"display at {ADDRESS:#x}, seen from outside: {len(pictures)} different pictures, the last {display(test).hex()}", flush=True)
    begun = time.monotonic()
    guest.type("systemctl poweroff")
    guest.ends(180)
    print(f"switched off in {time.monotonic() - begun:.1f} s", flush=True)
    return {"listening_s": listening, "used_mib": (total - available) >> 10, "service_mib": service >> 10}


def survives(test: Test, cuts: int, seed: int) -> dict[str, float]:
    """Cuts the power while settings and an update are written; each time it must come up listening, with one of the settings."""
    # From now on nobody but the device knows what was right.
    test.card.put("harmonynet.toml", BROKEN)
    chance = random.Random(seed)
    whole = re.compile(rf"brightness = ({'|'.join(map(str, (30, *BRIGHTNESSES)))})$", re.MULTILINE)
    listening_s: list[float] = []
    programs: dict[str, int] = {}
    for number in range(cuts + 1):
        guest = test.boot()
        listening_s.append(test.wait_until_listening(guest))
        settings = guest.command("cat /etc/harmonynet/harmonynet.toml")
        if not whole.search(settings) or "hw:CARD=Loopback" not in settings:
            raise Failure(f"after cut {number} the settings are not whole:\n{settings}")
        guest.expect(VERDICT, 300)
        program = guest.command("readlink -f /run/harmonynet-appliance/program").strip()
        programs[program] = programs.get(program, 0) + 1
        if number == cuts:
            guest.type("systemctl poweroff")
            guest.ends(180)
            break
        guest.command("(/opt/writer > /run/writer.log 2>&1 &)")
        delay = chance.uniform(0.5, 30)
        time.sleep(delay)
        guest.cut()
        print(f"cut {number + 1} of {cuts}: {delay:4.1f} s into the writing, by {program}; listening after {listening_s[-1]:.1f} s", flush=True)
    print(f"{cuts} power cuts, seed {seed}: listening with whole settings after each; programs that ran: {programs}", flush=True)
    return {"cuts": cuts, "seed": seed, "slowest_listening_s": max(listening_s)}


def main() -> int:
    """Runs the parts in order; the first thing that doesn't happen ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--update", type=pathlib.Path, required=True, help="the Debian package that is installed as an update")
    parser.add_argument("--work", type=pathlib.Path, default=TOP / "target/image/test")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    (options.work / "console.log").unlink(missing_ok=True)
    try:
        test = Test(options.image, options.qemu, options.work, options.update)
        bare = test.bare_init()
        print(f"kernel start to a bare init: {bare:.1f} s", flush=True)
        result = {"bare_init_s": bare, **hears(test, bare)}
        if options.cuts:
            result |= survives(test, options.cuts, options.seed)
    except Failure as failure:
        print(f"FAILED: {failure}\nthe whole console: {options.work / 'console.log'}", file=sys.stderr)
        return 1
    (options.work / "result.json").write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
