"""Tests of the list for Raspberry Pi Imager: `python3 -m unittest discover -s boards/image -p test_imager.py`."""

import datetime
import hashlib
import lzma
import pathlib
import tempfile
import unittest

import imager

DATE = datetime.date(2026, 1, 31)
# What the schema requires of an entry with a URL (doc/json-schema/os-list-schema.json of raspberrypi/rpi-imager; `devices` since its
# version 2, by doc/schema-notes.md), and what newer versions choose by.
REQUIRED = {
    "name", "description", "icon", "url", "extract_size", "extract_sha256", "image_download_size", "release_date", "devices",
    "init_format",
}  # fmt: skip


class ListForImager(unittest.TestCase):
    """A list of a small image."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.image = pathlib.Path(folder.name) / "harmonynet-1.2.3-pi-64.img"
        self.content = bytes(range(256)) * 4096
        self.image.write_bytes(self.content)
        self.packed = self.image.with_name(self.image.name + ".xz")
        self.packed.write_bytes(lzma.compress(self.content))

    def test_sizes_and_checksums_are_those_of_the_files(self) -> None:
        entry = imager.entry(self.image, "pi-64", DATE)
        unpacked = lzma.decompress(self.packed.read_bytes())
        self.assertEqual((entry["extract_size"], entry["extract_sha256"]), (len(unpacked), hashlib.sha256(unpacked).hexdigest()))
        packed = self.packed.read_bytes()
        self.assertEqual(
            (entry["image_download_size"], entry["image_download_sha256"]), (len(packed), hashlib.sha256(packed).hexdigest())
        )
        self.assertTrue(entry["url"].endswith("/harmonynet-1.2.3-pi-64.img.xz"))

    def test_every_family_fulfils_the_schema(self) -> None:
        for family in imager.FAMILIES:
            entry = imager.entry(self.image, family, DATE)
            self.assertLessEqual(REQUIRED, set(entry))
            self.assertEqual(imager.problems({"os_list": [entry]}), [])

    def test_what_is_wrong_is_named(self) -> None:
        good = imager.entry(self.image, "pi-64", DATE)
        for key, value in {
            "name": "", "extract_size": "12", "image_download_size": True, "extract_sha256": "12", "devices": [],
            "init_format": "apt", "release_date": "31.1.", "url": "https://example.org/harmonynet.img",
        }.items():  # fmt: skip
            found = imager.problems({"os_list": [{**good, key: value}]})
            self.assertEqual([line.split(":")[0] for line in found], [f"os_list[0].{key}"])
        self.assertEqual(len(imager.problems({"os_list": [{**good, "devices": ["pi9-64bit"]}]})), 1)
        for key in REQUIRED:
            found = imager.problems({"os_list": [{other: good[other] for other in good if other != key}]})
            self.assertEqual({line.split(":")[0] for line in found}, {f"os_list[0].{key}"})
        self.assertEqual(len(imager.problems({"os_list": []})), 1)
        self.assertEqual(len(imager.problems({"imager": {}, "os_list": [good]})), 1)

    def test_a_board_gets_the_image_for_its_processor(self) -> None:
        self.assertEqual(imager.entry(self.image, "pi-64", DATE)["devices"], ["pi3-64bit", "pi4-64bit"])
        self.assertEqual(imager.entry(self.image, "pi-armv6", DATE)["devices"], ["pi1-32bit"])


if __name__ == "__main__":
    unittest.main()
