"""Writes the first inputs of the fuzz targets, `corpus/TARGET/`: of the project's own files, and of nothing else.

    python3 tests/fuzz/seeds.py

The targets' own documentation says what their bytes mean.
"""

from pathlib import Path
import random
import re
import struct

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORD_BYTES = 52


def varint(value: int) -> bytes:
    """An unsigned number as postcard has it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def text(value: str) -> bytes:
    """A string as postcard has it."""
    return varint(len(value)) + value.encode()


def cobs(frame: bytes) -> bytes:
    """A frame of fewer than 254 bytes without zeros inside, with its zero at the end."""
    out = bytearray()
    for piece in frame.split(b"\0"):
        out += bytes([len(piece) + 1]) + piece
    return bytes(out) + b"\0"


def wav(rate: int, channels: int, bits: int, frames: int) -> bytes:
    """A ramp as a WAV file."""
    size = bits // 8
    samples = b"".join((n * 97 % (1 << (bits - 1))).to_bytes(size, "little") for n in range(frames * channels))
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * size, channels * size, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def recordings() -> dict[str, bytes]:
    fixtures = ROOT / "src/capture/file/fixtures"
    short = {"tones.flac": 6000, "tones.mp3": 1500, "tones.ogg": 4718}
    out = {f"pipe-{name}": b"\0" + (fixtures / name).read_bytes()[:most] for name, most in short.items()}
    out |= {f"file-{name}": b"\1" + (fixtures / name).read_bytes()[:most] for name, most in short.items()}
    for rate, channels, bits in [(48_000, 2, 16), (16_000, 1, 24), (22_050, 8, 32)]:
        out[f"pipe-{rate}.wav"] = b"\0" + wav(rate, channels, bits, 300)
        out[f"file-{rate}.wav"] = b"\1" + wav(rate, channels, bits, 300)
    return out


def models() -> dict[str, bytes]:
    def header(steps: int, channels: tuple[int, int, int], hidden: int, labels: int, last: int) -> bytes:
        numbers = [0x092814F23737C348, steps, *channels, hidden, labels, last]
        return (b"".join(map(varint, numbers)) + struct.pack("<f", 1 / 32)).ljust(32, b"\0")

    return {
        "as-it-is": b"\0",
        "streamed": b"\2" + bytes([0, 1, 0, 3]),
        "changed": b"\0" + bytes([100, 1, 0, 99, 0, 20, 0, 127]),
        "shipped-shape": b"\1" + header(19, (32, 64, 128), 64, 10, 0) + bytes([7, 2, 0, 3]),
        "small-shape": b"\3" + header(1, (16, 32, 16), 32, 2, 1),
        "wide-shape": b"\1" + header(3, (32, 16, 48), 48, 32, 0),
    }


def events() -> dict[str, bytes]:
    verdict = varint(1) + varint(90_000) + b"\3\1" + text("jazz") + b"\1" + struct.pack("<fff", 0.7, -20.1, 1.0) + b"\0"
    frames = [
        varint(0) + varint(1) + text("harmonynet") + varint(22_050) + b"\2" + text("jazz") + text("rock"),
        verdict,
        varint(2) + varint(90_000) + b"\0\3\1" + text("jazz") + varint(7),
        varint(3) + varint(5) + b"\1" + text("gone") + text("plug it in"),
        varint(4) + b"".join(map(varint, range(200, 215))),
        varint(5) + varint(10) + varint(3),
        varint(6) + varint(7),
        varint(7) + varint(0),
    ]
    readme = (ROOT / "src/tell/README.md").read_text()
    lines = "\n".join(re.findall(r"^\{.*\}$", readme, re.MULTILINE))
    return {"postcard": b"".join(map(cobs, frames)), "json": lines.encode()}


def traces() -> dict[str, bytes]:
    header = text("harmonynet 0.1.0") + text("asked") + varint(10**9) + varint(1_700_000_000_000) + varint(9)
    header += varint(RECORD_BYTES)
    header += text("48000 Hz, 2 ch, S32_LE") + text("ordinary") + b"".join(map(varint, [44_100, 512, 0, 1, 2, 0]))
    generator = random.Random(1)
    records = b""
    for kind in [0, 1, 2, 3, 0, 1, 2]:
        body = struct.pack("<Q", 90_000 + 512 * generator.randrange(9)) + bytes([1, 1])
        body += struct.pack("<QIQIII", 10**9, 4000, 2 * 10**9, 5000, 6000, 7000)
        records += (bytes([kind]) + body)[:RECORD_BYTES].ljust(RECORD_BYTES, b"\0")
    start = b"HNTRACE1" + struct.pack("<H", len(header)) + header
    return {"empty": start, "records": start + records}


def sounds() -> dict[str, bytes]:
    generator = random.Random(2)
    out = {}
    for number, (form, rate, channels, picked) in enumerate([(3, 1, 1, 0), (0, 5, 2, 3), (1, 0, 8, 0), (2, 200, 1, 0)]):
        head = bytes([form, rate, channels, picked, 40, generator.randrange(256)])
        out[f"noise-{number}"] = head + generator.randbytes(4000)
        out[f"square-{number}"] = head + (b"\xff\x7f" * 300 + b"\x00\x80" * 300) * 3
    return out


def main() -> None:
    files = lambda pattern: {path.name: path.read_bytes() for path in ROOT.glob(pattern)}
    corpus = {
        "model": models(),
        "manifest": files("models/harmonynet/manifest.toml"),
        "settings": files("settings.example.toml")
        | {"short.toml": b"[display]\nbrightness = 7\n", "line": b"board = \"pi-4\"\n\n---\ndisplay.brightness=7\n"},
        "board": files("boards/pi-4.toml") | files("boards/sim.toml") | files("boards/parts.toml"),
        "recording": recordings(),
        "events": events(),
        "trace": traces(),
        "sound": sounds(),
    }
    for target, inputs in corpus.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
