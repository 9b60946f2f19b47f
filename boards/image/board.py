"""The image's board in the emulator, with what a test adds to the card: a microphone that plays music, a shell, an update."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from guest import MACHINES, Card, Failure, Guest, archive, members, run

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
ADDRESS = 0x70
# An EEPROM stands where the display would be, and keeps what is written. The smallest that the emulator takes a file for: bit 8 of an
# address is bit 0 of the one before, so that a picture lies at 0 or at 256.
EEPROM_BYTES = 512
# The emulator runs on whatever else the machine does.
BOOT_S = 600.0

MICROPHONE_SETTINGS = """[microphone]
device = "hw:CARD=Loopback,DEV=0"

[display]
"""
SETTINGS = f"""{MICROPHONE_SETTINGS}kind = "ht16k33"
address = {ADDRESS:#x}
brightness = {{brightness}}
"""
# An LED per genre instead.
LINES = (5, 6, 12, 13, 17, 22, 23, 24, 25, 26)
LINES_SETTINGS = f"""{MICROPHONE_SETTINGS}kind = "gpio"
pins = {list(LINES)}
"""
BRIGHTNESS = 30
BRIGHTNESSES = (10, 20)
# The loopback card's driver and what it needs: each needs those before it.
MICROPHONE = ("soundcore", "snd", "snd-timer", "snd-pcm", "snd-aloop")

# Settings and updates, written for ever. What is complete the console tells.
WRITER = """#!/bin/sh
mkdir -p /run/card
mount --bind /run/card /boot/firmware
while :; do
  for file in /opt/settings-*; do
    cp $file /boot/firmware/harmonynet.toml
    harmonynet-appliance settings
  done
done &
while :; do
  read -r begun _ < /proc/uptime
  if harmonynet-appliance update /opt/update.deb; then what=complete; else what=failed; fi
  read -r ended _ < /proc/uptime
  echo "@@update $what: $begun to $ended" > /dev/console
done
"""
# Brings the units and the fourth partition, then does what the image's own program of this name does.
SWITCH_ROOT = """#!/bin/sh
cp -r /added/. /root/
mount -t squashfs -o ro /root/dev/mmcblk[0-9]p4 /root/opt
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
ConditionKernelCommandLine=music
After=harmonynet.service
[Service]
ExecStart=/opt/player plughw:CARD=Loopback,DEV=1 /opt/music.s32
Restart=always
RestartSec=1
"""


class Board:
    """One image in one emulator."""

    # An instruction takes 2^SHIFT ns where they are counted.
    SHIFT = 2

    def __init__(self, image: pathlib.Path, qemu: str, work: pathlib.Path, update: pathlib.Path, fresh: bool) -> None:
        family = next(family for family in MACHINES if image.name.endswith(f"-{family}.img"))
        self.machine = MACHINES[family]
        self.qemu = qemu
        self.work = work
        self.log = work / "console.log"
        self.eeprom = work / "display.bin"
        # A socket's path must be short.
        self.monitor = pathlib.Path(tempfile.mkdtemp()) / "monitor"
        self.initramfs = work / "initramfs.img"
        path = work / "card.img"
        self.card = Card.copy(image, path, self._partition(update)) if fresh else Card(path)
        self.kernel = self.card.get(self.machine.kernel, work / "kernel")
        self.tree = self.card.get(self.machine.device_tree, work / "board.dtb")
        self.words = self.card.get("cmdline.txt", work / "cmdline.txt").read_text().strip()
        images = self.card.get("initramfs.img", work / "image-initramfs.img")
        # The kernel looks for the next archive at multiples of four.
        own = images.read_bytes()
        self.initramfs.write_bytes(own + bytes(-len(own) % 4) + self._added(members(images)))
        if fresh:
            self.card.put("harmonynet.toml", SETTINGS.format(brightness=BRIGHTNESS))

    def _compile(self, source: str, *flags: str) -> bytes:
        program = self.work / source.removesuffix(".c")
        run(self.machine.compiler, "-O1", "-o", program, HERE / source, *flags)
        return program.read_bytes()

    @staticmethod
    def _program() -> str:
        return os.environ.get("HARMONYNET", str(TOP / "target/release/harmonynet"))

    def _music(self) -> bytes:
        """Self-made music: the program writes it to a file for alsa-lib's file plugin, and that is taken."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder}
            listener = subprocess.Popen(
                [self._program(), "listen", "--demo=metal"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            assert listener.stdout
            # It has heard something, so the file is whole.
            listener.stdout.readline()
            music = next(pathlib.Path(folder).glob("*/music.s32")).read_bytes()
            listener.kill()
            listener.wait()
        return music

    def genres(self) -> set[str]:
        """What this machine's program says of the same sound while it goes on for half a minute."""
        command = ["timeout", "--signal=INT", "30", self._program(), "listen", "--demo=metal"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return {found.group(1) for found in re.finditer(r"^ *[\d.]+ s +(?:genre|unsure) +(\w+)", said, re.MULTILINE)}

    def _partition(self, update: pathlib.Path) -> pathlib.Path:
        """What the test needs of files, as a squashfs."""
        sysroot = f"--sysroot={TOP}/target/sysroot/{self.machine.sysroot}"
        packed = self.work / "added.img"
        packed.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            for brightness in BRIGHTNESSES:
                (folder / f"settings-{brightness}").write_text(SETTINGS.format(brightness=brightness))
            (folder / "update.deb").write_bytes(update.read_bytes())
            (folder / "music.s32").write_bytes(self._music())
            (folder / "writer").write_text(WRITER)
            (folder / "player").write_bytes(self._compile("player.c", sysroot, "-lasound"))
            for program in ("writer", "player"):
                (folder / program).chmod(0o755)
            run("mksquashfs", folder, packed, "-quiet", "-no-progress", "-all-root", "-comp", "lz4")
        return packed

    def _added(self, image: dict[str, bytes]) -> bytes:
        """The archive behind the image's initramfs, whose files are `image`."""
        system = "added/etc/systemd/system"
        files = {
            "bin/switch_root": (0o755, SWITCH_ROOT.encode()),
            "added/etc/systemd/system.conf.d/test.conf": (0o644, b"[Manager]\nDefaultTimeoutStartSec=infinity\n"),
            f"{system}/test-music.service": (0o644, MUSIC_UNIT.encode()),
            f"{system}/test-shell.service": (0o644, SHELL_UNIT.encode()),
            f"{system}/listening.target.d/test.conf": (0o644, b"[Unit]\nWants=test-music.service test-shell.service\n"),
        }
        dependencies = next(name for name in image if name.endswith("/modules.dep"))
        place = dependencies.removesuffix("modules.dep")
        lines, names = image[dependencies].decode(), image["modules"].decode()
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder) / "root"
            run("unsquashfs", "-quiet", "-no-progress", "-offset", self.card.starts[1], "-dest", root, self.card.path, "usr/lib/modules")
            for number, module in enumerate(MICROPHONE):
                if f"{place}{module}.ko" not in image:
                    files[f"{place}{module}.ko"] = (0o644, next(root.rglob(f"{module}.ko")).read_bytes())
                    lines += f"{module}.ko: {' '.join(f'{needed}.ko' for needed in reversed(MICROPHONE[:number]))}\n"
        files[dependencies] = (0o644, lines.encode())
        files["modules"] = (0o644, f"{names}{MICROPHONE[-1]}\n".encode())
        return archive(files)

    def boot(self, initramfs: pathlib.Path | None = None, counted: bool = False, music: bool = True) -> Guest:
        """Switches the board on. Its clock may count instructions instead of following this machine's. Without music it hears
        silence."""
        self.eeprom.write_bytes(bytes(EEPROM_BYTES))
        words = f"{self.words} systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info {self.machine.words}"
        words += " music" * music
        ports = ["-serial", "null"] * self.machine.ports_before
        pace = ["-accel", "tcg,thread=single", "-icount", f"shift={self.SHIFT},sleep=on"] if counted else ["-accel", "tcg,thread=single"]
        return Guest(
            [
                self.qemu, *self.machine.arguments, *pace, "-display", "none", "-no-reboot",
                "-monitor", f"unix:{self.monitor},server=on,wait=off",
                *ports, "-serial", "stdio",
                "-kernel", str(self.kernel), "-dtb", str(self.tree), "-initrd", str(initramfs or self.initramfs), "-append", words,
                "-drive", f"file={self.card.path},format=raw,if=sd",
                "-drive", f"file={self.eeprom},format=raw,if=none,id=display",
                "-device", f"at24c-eeprom,bus=i2c-bus.1,address={ADDRESS},rom-size={EEPROM_BYTES},address-size=1,drive=display",
            ],
            self.log,
        )  # fmt: skip

    def bare_init(self, counted: bool = False) -> float:
        """Seconds from the kernel's start to a first program that only prints."""
        initramfs = self.work / "bare.img"
        initramfs.write_bytes(archive({"init": (0o755, self._compile("bare_init.c", "-static"))}))
        guest = self.boot(initramfs, counted)
        seconds = float(guest.expect(r"bare init at ([\d.]+)", BOOT_S).group(1))
        guest.cut()
        return seconds

    def wait_until_listening(self, guest: Guest) -> float:
        """Seconds from the kernel's start to the service's first sound."""
        deadline = time.monotonic() + BOOT_S
        # What is typed before there is a shell is lost, and fills an emulated serial port for good.
        guest.expect(r"program\[\d+\]: engine", BOOT_S)
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

    def memory(self, guest: Guest) -> tuple[int, int]:
        """KiB that are used of the system's, and those of the service."""
        said = guest.command("systemctl show harmonynet -p MemoryCurrent; grep -E 'MemTotal|MemAvailable' /proc/meminfo")
        total, available, service = (
            int(re.search(rf"{name}[:=] *(\d+)", said).group(1))  # type: ignore[union-attr]
            for name in ("MemTotal", "MemAvailable", "MemoryCurrent")
        )
        return total - available, service >> 10

    def picture(self) -> bytes:
        """What was written to the display's memory, which begins at 0: the latest two pictures."""
        memory = self.eeprom.read_bytes()
        return memory[:16] + memory[256:272]

    def lines(self) -> int:
        """The levels of the lines that have LEDs, as bits, asked of the emulator."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(60)
            monitor.connect(str(self.monitor))
            monitor.sendall(f"xp /1wx {self.machine.levels:#x}\n".encode())
            said = ""
            while not (found := re.search(r"\b[0-9a-f]{8,16}: (0x[0-9a-f]{8})", said)):
                said += monitor.recv(4096).decode("utf-8", "replace")
        return int(found.group(1), 16) & sum(1 << line for line in LINES)
