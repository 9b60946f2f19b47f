"""Tests of the statistical rooms that training tracks are heard in."""

import argparse
import tempfile
import unittest
from pathlib import Path

import numpy as np
from scipy.signal import sosfreqz

import rooms
from negatives import RATE


class Rooms(unittest.TestCase):
    def test_a_response_begins_with_the_direct_sound_and_decays(self) -> None:
        for seed in range(10):
            response = rooms.response(np.random.default_rng(seed))
            self.assertEqual(response[0], 1.0)
            room = np.sum(response[1:] ** 2)
            self.assertTrue(10**-1.25 < room < 10**1.45, f"{10 * np.log10(room):.1f} dB")
            half = len(response) // 2
            self.assertGreater(np.sum(response[1:half] ** 2), 30 * np.sum(response[half:] ** 2))

    def test_a_bump_is_as_high_as_it_says_where_it_says(self) -> None:
        for hz, db in ((500, 6.0), (3000, -8.0)):
            _, gain = sosfreqz(rooms.bump(hz, db, 2.0), [hz, 20], fs=RATE)
            decibels = 20 * np.log10(np.abs(gain))
            self.assertAlmostEqual(decibels[0], db, places=6)
            self.assertLess(abs(decibels[1]), 0.1)

    def test_what_is_heard_keeps_length_and_time_and_is_decided_by_its_seed(self) -> None:
        click = np.zeros(RATE)
        click[5000] = 1.0
        click += np.random.default_rng(0).normal(0, 1e-4, RATE)
        first, again, other = (rooms.heard(click, [], np.random.default_rng(seed)) for seed in (4, 4, 5))
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first - other).max(), 0.01)
        self.assertEqual(len(first), len(click))
        self.assertAlmostEqual(float(np.abs(first).max()), rooms.PEAK)
        energy = np.cumsum(first**2) / np.sum(first**2)
        self.assertGreater(energy[-1] - energy[4990], 0.8)

    def test_people_murmur_in_some_takes_where_there_are_clips_of_speech(self) -> None:
        tone = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE)
        voice = np.random.default_rng(0).normal(0, 1, RATE // 2)
        with_voices, without = (
            [rooms.heard(tone, voices, np.random.default_rng(seed)) for seed in range(40)] for voices in ([voice], [])
        )
        talking = sum(not np.array_equal(a, b) for a, b in zip(with_voices, without))
        self.assertTrue(6 <= talking <= 24, f"{talking} of 40")
        murmur = rooms.murmur([voice], RATE, np.random.default_rng(3))
        self.assertEqual(len(murmur), RATE)
        self.assertGreater(rooms.unit(murmur).std(), 0.99)

    def test_a_track_has_its_rooms_whatever_other_tracks_there_are(self) -> None:
        self.assertEqual(rooms.name_hash("blues.00001"), rooms.name_hash("blues.00001"))
        self.assertNotEqual(rooms.name_hash("blues.00001"), rooms.name_hash("blues.00002"))


class Choosing(unittest.TestCase):
    """Which recordings are meant."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        for name in ("blues/one.mp3", "blues/two.wav", "jazz/one.FLAC", "jazz/cover.jpg"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).touch()

    def chosen(self, *table: str, every: bool = False) -> list[str]:
        split = self.folder / "split.csv"
        split.write_text("\n".join(table) + "\n")
        wanted = argparse.Namespace(audio=self.folder, split=split, split_column="part", all=every)
        return [str(path.relative_to(self.folder)) for path in rooms.recordings_of(wanted)]

    def test_tracks_of_one_name_are_told_apart_by_their_genre(self) -> None:
        table = ("track,genre,part", "one,jazz,train", "two,blues,test", "one,blues,train")
        self.assertEqual(self.chosen(*table), ["blues/one.mp3", "jazz/one.FLAC"])
        self.assertEqual(self.chosen(*table, every=True), ["blues/one.mp3", "jazz/one.FLAC", "blues/two.wav"])
        self.assertEqual(self.chosen("track,part", "two,train"), ["blues/two.wav"])
        with self.assertRaisesRegex(rooms.RoomsError, "one is in blues and in jazz; add a column 'genre'"):
            self.chosen("track,part", "one,train")

    def test_what_is_missing_is_named(self) -> None:
        for row in ("three,jazz,train", "two,jazz,train", "cover,jazz,train"):
            with self.assertRaisesRegex(rooms.RoomsError, f"no recording of 1 tracks, first {row.split(',')[0]}"):
                self.chosen("track,genre,part", row)
        with self.assertRaisesRegex(rooms.RoomsError, "no track has 'train'"):
            self.chosen("track,part", "two,test")
        (self.folder / "blues" / "one.ogg").touch()
        with self.assertRaisesRegex(rooms.RoomsError, "have one name"):
            self.chosen("track,part", "two,train")


if __name__ == "__main__":
    unittest.main()
