"""Tests of what is made of a package's music; none fetches one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import soundfile

import collect
from negatives import RATE


class Clips(unittest.TestCase):
    def test_clips_lie_evenly_within_a_piece(self) -> None:
        self.assertEqual(collect.begins(45), [7.5])
        for seconds in (45, 89, 90, 200, 1000):
            places = collect.begins(seconds)
            self.assertEqual(len(places), min(4, int(seconds // 45)))
            self.assertGreaterEqual(places[0], 5)
            self.assertLessEqual(places[-1] + collect.CLIP, seconds - 5)
            self.assertLess(np.ptp(np.diff(places)) if len(places) > 2 else 0.0, 0.21)

    def test_what_is_missing_is_named_with_the_mend(self) -> None:
        with tempfile.TemporaryDirectory() as name, mock.patch.object(shutil, "which", lambda program: None):
            with self.assertRaisesRegex(collect.CollectError, "apt-get is missing: this needs Debian"):
                collect.collect(Path(name), ["none"], 1)

    @unittest.skipUnless(shutil.which("ffmpeg") and shutil.which("dpkg-deb"), "no ffmpeg or no dpkg-deb on this machine")
    def test_a_package_becomes_clips_in_both_forms(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            music = folder / "tree" / "usr" / "share" / "games" / "some music"
            music.mkdir(parents=True)
            rng, time = np.random.default_rng(1), np.arange(100 * RATE) / RATE
            soundfile.write(music / "a song.wav", 0.3 * np.sin(440 * 2 * np.pi * time) + rng.normal(0, 0.01, len(time)), RATE)
            soundfile.write(music / "effect.wav", rng.normal(0, 0.1, 5 * RATE), RATE)
            (music / "broken.ogg").write_bytes(b"OggS and nothing behind it")
            (folder / "tree" / "DEBIAN").mkdir()
            (folder / "tree" / "DEBIAN" / "control").write_text(
                "Package: song\nVersion: 1:2.3-4\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
                "Description: song\n"
            )
            subprocess.run(["dpkg-deb", "-b", folder / "tree", folder / "song.deb"], check=True, capture_output=True)
            real = subprocess.run

            def fetch(call: list, **options: object) -> subprocess.CompletedProcess:
                if call[0] != "apt-get":
                    return real(call, **options)
                if call[-1] == "song":
                    shutil.copy(folder / "song.deb", options["cwd"])
                return subprocess.CompletedProcess(call, 0 if call[-1] == "song" else 100, "", "E: no such package")

            with mock.patch.object(subprocess, "run", fetch), mock.patch.object(shutil, "which", lambda program: program):
                clips, missing = collect.collect(folder / "out", ["song", "other"], 2)
                table = (folder / "out" / "sources" / "song.csv").read_text()
                again = collect.collect(folder / "out", ["song", "other"], 2)
            self.assertEqual((clips, missing, again), (2, ["other"], (2, ["other"])))
            lines = table.splitlines()
            self.assertEqual(lines[0], "clip,package,version,file,begins_seconds")
            self.assertEqual(lines[1], "song-00-0,song,1:2.3-4,usr/share/games/some music/a song.wav,20.0")
            for form, ending in (("original", "wav"), ("coded", "mp3")):
                found = sorted((folder / "out" / form / "music").iterdir())
                self.assertEqual([path.name for path in found], [f"song-00-{place}.{ending}" for place in (0, 1)])
                about = soundfile.info(found[0])
                self.assertEqual((about.samplerate, about.channels, round(about.duration)), (RATE, 1, collect.CLIP))


if __name__ == "__main__":
    unittest.main()
