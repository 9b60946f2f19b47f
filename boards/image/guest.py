"""An emulated board with a card: started, watched through its serial console, commanded, switched off or cut from its power."""

import atexit
import os
import pathlib
import queue
import re
import subprocess
import threading
import time
import typing

MIB = 1 << 20


class Failure(Exception):
    """What did not happen, with what the board said last."""


class Machine(typing.NamedTuple):
    """How the emulator is told to be a board of an image's family."""

    arguments: list[str]
    kernel: str
    device_tree: str
    # The emulator's serial ports before the console.
    ports_before: int
    # The line's end of the kernel's command line: what the emulator can't do.
    words: str
    compiler: str
    sysroot: str
    # GPLEV0 of the GPIO block: the levels of lines 0 to 31.
    levels: int


MACHINES: dict[str, Machine] = {
    # The emulated power manager resets as soon as the watchdog is started, instead of when it runs out.
    "pi-64": Machine(
        ["-M", "raspi3b"],
        "kernel8.img",
        "bcm2837-rpi-3-b.dtb",
        1,
        "systemd.watchdog_sec=0",
        "aarch64-linux-gnu-gcc",
        "arm64",
        0x3F200034,
    ),
    "pi-armv6": Machine(
        ["-M", "raspi1ap"],
        "kernel.img",
        "bcm2835-rpi-a-plus.dtb",
        0,
        # The emulated board lacks the power manager's parts that this driver counts on.
        "initcall_blacklist=bcm2835_power_driver_init systemd.watchdog_sec=0",
        "arm-linux-gnueabi-gcc",
        "armel",
        0x20200034,
    ),
}


def run(*command: str | pathlib.Path, **options: typing.Any) -> subprocess.CompletedProcess[str]:
    """A command that must succeed, for its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done


class Card:
    """A copy of the image on a card of the next power of two, which the emulator wants. What the test brings is in a fourth partition,
    behind the image."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        # The partitions' first sectors, in the table of the first sector.
        with path.open("rb") as card:
            table = card.read(512)
        self.starts = [512 * int.from_bytes(table[at + 8 : at + 12], "little") for at in range(446, 510, 16)]
        self.fat = f"{path}@@{self.starts[0]}"

    @classmethod
    def copy(cls, image: pathlib.Path, path: pathlib.Path, added: pathlib.Path) -> "Card":
        """Makes the card."""
        run("cp", "--sparse=always", image, path)
        begin = -(-path.stat().st_size // MIB) * MIB
        content = added.read_bytes()
        sectors = -(-len(content) // 512)
        with path.open("r+b") as card:
            card.seek(446 + 3 * 16)
            card.write(bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (begin // 512).to_bytes(4, "little") + sectors.to_bytes(4, "little"))
            card.seek(begin)
            card.write(content)
        os.truncate(path, 1 << (path.stat().st_size - 1).bit_length())
        return cls(path)

    def put(self, name: str, text: str) -> None:
        """Writes a file of the FAT partition, as a person does at a PC."""
        done = subprocess.run(["mcopy", "-o", "-i", self.fat, "-", f"::{name}"], input=text.encode(), check=False)
        if done.returncode != 0:
            raise Failure(f"{name} cannot be written to the card's FAT partition")

    def get(self, name: str, to: pathlib.Path) -> pathlib.Path:
        """Copies a file of the FAT partition."""
        run("mcopy", "-n", "-o", "-i", self.fat, f"::{name}", to)
        return to


class Guest:
    """The emulated board."""

    def __init__(self, command: list[str], log: pathlib.Path) -> None:
        self.started = time.monotonic()
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.said: list[str] = []
        self._log = log.open("a", encoding="utf-8")
        self._log.write(f"$ {' '.join(command)}\n")
        self._commands = 0
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # It must not outlive a test that fails.
        atexit.register(self.process.kill)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            self._log.write(f"{time.monotonic() - self.started:8.2f} {line}\n")
            self._log.flush()
            self.lines.put(line)
        self.lines.put(None)

    def expect(self, pattern: str, seconds: float) -> re.Match[str]:
        """Waits for a line of the console."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise self._failure(f"no line /{pattern}/ within {seconds:.0f} s") from None
            if line is None:
                raise self._failure(f"the emulator ended before a line /{pattern}/")
            self.said.append(line)
            if found := re.search(pattern, line):
                return found

    def expect_ever(self, pattern: str, seconds: float) -> re.Match[str]:
        """A line of the console, from its first one on."""
        found = (re.search(pattern, line) for line in self.said)
        return next(filter(None, found), None) or self.expect(pattern, seconds)

    def heard(self) -> list[str]:
        """All lines up to now."""
        while True:
            try:
                line = self.lines.get_nowait()
            except queue.Empty:
                return self.said
            if line is None:
                return self.said
            self.said.append(line)

    def _failure(self, what: str) -> Failure:
        return Failure("\n".join([what, "the console's last lines:", *self.said[-30:]]))

    def command(self, text: str, seconds: float = 600) -> str:
        """What a command of the board's shell prints; it must succeed."""
        self._commands += 1
        mark = f"@@{self._commands}"
        self.type(f"echo; echo '{mark}' begins; {{ {text}; }} < /dev/null 2>&1; echo; echo {mark}=$?")
        self.expect(rf"^{mark} begins$", seconds)
        begin = len(self.said)
        code = self.expect(rf"^{mark}=(\d+)$", seconds).group(1)
        # What the kernel and the journal say goes to the same console.
        output = [line for line in self.said[begin:-1] if line and not re.match(r"\[ *\d+\.\d+\]", line)]
        if code != "0":
            raise self._failure(f"`{text}` failed with {code}")
        return "\n".join(output)

    def type(self, text: str) -> None:
        """A line for the board's shell."""
        assert self.process.stdin
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def ends(self, seconds: float) -> None:
        """Waits for the board to switch itself off."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self._failure(f"not switched off within {seconds:.0f} s") from None

    def cut(self) -> None:
        """Cuts the power."""
        self.process.kill()
        self.process.wait()


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """An initramfs of these files with their modes, padded so that it can follow another one (newc, of the kernel's documentation
    initramfs-buffer-format)."""
    out = bytearray()
    entries: dict[str, tuple[int, bytes]] = {}
    for path in files:
        for folder in reversed(pathlib.PurePosixPath(path).parents[:-1]):
            entries[str(folder)] = (0o40755, b"")
        entries[path] = (0o100000 | files[path][0], files[path][1])
    entries["TRAILER!!!"] = (0, b"")
    for number, (name, (mode, content)) in enumerate(entries.items(), 1):
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        for part in (b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0", content):
            out += part + bytes(-len(part) % 4)
    return bytes(out)


def members(path: pathlib.Path) -> dict[str, bytes]:
    """The files of an initramfs that is packed with zstd."""
    packed = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    found = {}
    at = 0
    while True:
        fields = [int(packed[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        length, name_length = fields[6], fields[11]
        name = packed[at + 110 : at + 110 + name_length - 1].decode()
        if name == "TRAILER!!!":
            return found
        # Name and content each end at a multiple of four.
        begin = -(-(at + 110 + name_length) // 4) * 4
        found[name] = packed[begin : begin + length]
        at = -(-(begin + length) // 4) * 4
