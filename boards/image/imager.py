#!/usr/bin/env python3
"""The list in which Raspberry Pi Imager finds an image: boards/image/imager.py IMAGE FAMILY, beside IMAGE its IMAGE.xz.

Printed as JSON, checked against what Imager's own documentation asks for (doc/json-schema/os-list-schema.json and doc/schema-notes.md
of the repository raspberrypi/rpi-imager).
"""

import datetime
import hashlib
import json
import os
import pathlib
import sys
import typing

# Tags of the boards, as Imager's own list of devices has them.
FAMILIES: dict[str, tuple[str, list[str]]] = {
    # A Zero 2 W is a Pi 3 there.
    "pi-64": ("Raspberry Pi 3, 4, 400 and Zero 2 W", ["pi3-64bit", "pi4-64bit"]),
    # So is a Zero a Pi 1.
    "pi-armv6": ("Raspberry Pi 1, Zero and Zero W", ["pi1-32bit"]),
}
TAGS = {f"pi{board}-32bit" for board in range(1, 6)} | {f"pi{board}-64bit" for board in range(3, 6)}
# What every version of Imager unpacks.
PACKED = (".zip", ".gz", ".xz")
# Where releases are put; a list that is used from a folder names the file alone.
BASE_URL = os.environ.get("HARMONYNET_IMAGE_URL", "")

Entry = dict[str, typing.Any]


def sha256(path: pathlib.Path) -> str:
    """Checksum of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entry(image: pathlib.Path, family: str, date: datetime.date) -> Entry:
    """What Imager shows of an image, and how it recognizes that it was downloaded and written well."""
    title, devices = FAMILIES[family]
    packed = image.with_name(image.name + ".xz")
    url = BASE_URL + packed.name if BASE_URL else packed.resolve().as_uri()
    return {
        "name": f"harmonynet for {title}",
        "description": "Listens to music and shows its genre on LEDs. Settings: harmonynet.toml on the card's first partition.",
        "icon": "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 4'%3E"
        "%3Cpath d='M0 3h1v1H0zM1 1h1v3H1zM2 2h1v2H2zM3 0h1v4H3z' fill='%23c33'/%3E%3C/svg%3E",
        "url": url,
        "extract_size": image.stat().st_size,
        "extract_sha256": sha256(image),
        "image_download_size": packed.stat().st_size,
        "image_download_sha256": sha256(packed),
        "release_date": date.isoformat(),
        "devices": devices,
        # Imager's own customization writes files that this image doesn't read.
        "init_format": "none",
    }


def problems(document: typing.Any) -> list[str]:
    """What keeps Imager from reading a list; nothing for a good one."""
    if not isinstance(document, dict) or not isinstance(document.get("os_list"), list) or not document["os_list"]:
        return ["os_list: a list that is not empty is wanted"]
    # It belongs into Imager's own list.
    found: list[str] = ["imager: not in a list of one's own"] if "imager" in document else []
    for number, item in enumerate(document["os_list"]):
        if not isinstance(item, dict):
            found.append(f"os_list[{number}]: an object is wanted")
            continue
        found += [f"os_list[{number}].{key}: {why}" for key, why in _problems_of(item)]
    return found


def _problems_of(item: Entry) -> typing.Iterator[tuple[str, str]]:
    for key in ("name", "description", "icon", "url", "release_date"):
        if not isinstance(item.get(key), str) or not item[key]:
            yield key, "a text is wanted"
    if not str(item.get("url", "")).endswith(PACKED):
        yield "url", f"the name of a file that is packed is wanted: {', '.join(PACKED)}"
    for key in ("extract_size", "image_download_size"):
        # A boolean is an integer to Python.
        if type(item.get(key)) is not int or item[key] <= 0:
            yield key, "a number of bytes is wanted"
    for key in ("extract_sha256", "image_download_sha256"):
        value = item.get(key)
        if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
            yield key, "64 hexadecimal digits are wanted"
    devices = item.get("devices")
    if not isinstance(devices, list) or not devices or set(map(str, devices)) - TAGS:
        yield "devices", "a list of Imager's own tags is wanted"
    if item.get("init_format") not in ("none", "systemd", "cloudinit", "cloudinit-rpi"):
        yield "init_format", "none, systemd, cloudinit or cloudinit-rpi is wanted"
    try:
        datetime.date.fromisoformat(str(item.get("release_date")))
    except ValueError:
        yield "release_date", "a date as 2026-01-31 is wanted"


def main(arguments: list[str]) -> int:
    """Prints the list for one image."""
    if len(arguments) != 2 or arguments[1] not in FAMILIES:
        print(__doc__, file=sys.stderr)
        return 2
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    date = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date()
    document = {"os_list": [entry(pathlib.Path(arguments[0]), arguments[1], date)]}
    if wrong := problems(document):
        print("\n".join(wrong), file=sys.stderr)
        return 1
    print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
