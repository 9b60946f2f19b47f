"""Tests of the protocols' splits on made-up tables."""

import csv
import random
import tempfile
import unittest
from collections import Counter, defaultdict
from pathlib import Path

import protocols
from protocols import Row, Track


def table() -> list[Track]:
    """Ten genres of 100 tracks; artists of very different productivity, some unnamed, some in two genres; duplicates
    within genres and across two."""
    choose = random.Random(4)
    tracks = []
    for genre in range(10):
        left = 100
        artist = 0
        while left:
            size = min(left, choose.choice((1, 2, 3, 5, 8, 12, 20)))
            name = "" if artist == 2 else "Both" if genre in (3, 4) and artist == 1 else f"artist {genre} {artist}"
            for _ in range(size):
                left -= 1
                part = choose.choice(("train", "test", "none"))
                tracks.append(Track(f"g{genre}.{left:05}", f"g{genre}", name, "", part))
            artist += 1
    twins = {"g2.00007": "g2.00008", "g2.00090": "g2.00091", "g6.00001": "g6.00002", "g8.00010": "g5.00020"}
    twins["g6.00003"] = "g6.00001"  # a triple
    return [Track(t.name, t.genre, t.artist, twins.get(t.name, ""), t.fault_filtered) for t in tracks]


class Splits(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.tracks = table()
        cls.splits = protocols.splits(cls.tracks)

    def folds(self, protocol: str) -> list[list[Row]]:
        return [self.splits[f"{protocol}-{fold}"] for fold in range(1, 6)]

    def assert_together(self, rows: list[Row], key: str) -> None:
        parts = defaultdict(set)
        for row in rows:
            if value := getattr(row.track, key):
                parts[value].add(row.part)
                if key == "duplicate_of":
                    parts[value].update(other.part for other in rows if other.track.name == value)
        self.assertTrue(parts)
        self.assertEqual({value for value, where in parts.items() if len(where) > 1}, set())

    def test_folds_by_track_are_80_and_20_of_every_genre(self) -> None:
        for rows in self.folds("p2-track"):
            count = Counter((row.track.genre, row.part) for row in rows)
            self.assertEqual(set(count.values()), {72, 8, 20})
            self.assertEqual({count[f"g{genre}", "test"] for genre in range(10)}, {20})
            self.assertEqual({count[f"g{genre}", "valid"] for genre in range(10)}, {8})

    def test_every_track_is_tested_once_and_in_every_fold(self) -> None:
        for protocol in ("p2-track", "p2-artist"):
            folds = self.folds(protocol)
            tested = Counter(row.track.name for rows in folds for row in rows if row.part == "test")
            self.assertEqual(set(tested.values()), {1})
            for rows in folds:
                self.assertEqual(sorted(row.track.name for row in rows), sorted(track.name for track in self.tracks))

    def test_duplicates_are_in_one_part(self) -> None:
        for rows in self.folds("p2-track") + self.folds("p2-artist"):
            self.assert_together(rows, "duplicate_of")

    def test_artists_are_in_one_part_and_unnamed_count_as_one_per_genre(self) -> None:
        for rows in self.folds("p2-artist"):
            self.assert_together(rows, "artist")
            unnamed = defaultdict(set)
            for row in rows:
                if not row.track.artist:
                    unnamed[row.track.genre].add(row.part)
            self.assertEqual({len(parts) for parts in unnamed.values()}, {1})

    def test_folds_by_artist_are_as_even_as_the_groups_allow(self) -> None:
        for rows in self.folds("p2-artist"):
            count = Counter((row.track.genre, row.part) for row in rows)
            for genre in range(10):
                self.assertTrue(15 <= count[f"g{genre}", "test"] <= 25, count[f"g{genre}", "test"])
                self.assertTrue(4 <= count[f"g{genre}", "valid"] <= 16, count[f"g{genre}", "valid"])

    def test_an_artist_with_more_than_a_fifth_fills_one_fold_alone(self) -> None:
        big = [Track(f"a{i}", "g", "Star", "", "") for i in range(35)]
        rest = [Track(f"b{i}", "g", f"artist {i // 5}", "", "") for i in range(65)]
        for rows in protocols.folds(big + rest, protocols.artist_ties, "x"):
            tested = Counter(row.track.artist for row in rows if row.part == "test")
            self.assertIn(tested.total(), (35, 15, 20))
            self.assertEqual(len(tested) == 1, "Star" in tested)

    def test_excerpts_are_thrown_at_random_and_each_once(self) -> None:
        rows = self.splits["p1"]
        self.assertEqual(len({(row.track.name, row.excerpt) for row in rows}), 13_000)
        self.assertEqual(Counter(row.part for row in rows), {"train": 9360, "valid": 1040, "test": 2600})
        parts = defaultdict(set)
        for row in rows:
            parts[row.track.name].add(row.part)
        self.assertGreater(sum({"train", "test"} <= where for where in parts.values()), 900)  # the leak

    def test_the_fault_filtered_split_is_the_tables(self) -> None:
        rows = self.splits["p3"]
        self.assertEqual({row.track.name: row.part for row in rows}, {
            track.name: track.fault_filtered for track in self.tracks if track.fault_filtered != "none"
        })  # fmt: skip

    def test_order_of_the_table_does_not_matter_but_the_seed_does(self) -> None:
        again = protocols.splits(sorted(self.tracks[::-1], key=lambda track: track.name))
        self.assertEqual(again, protocols.splits(sorted(self.tracks, key=lambda track: track.name)))
        self.assertNotEqual(protocols.splits(self.tracks, seed=2)["p2-track-1"], self.splits["p2-track-1"])


class Files(unittest.TestCase):
    def test_written_files_hold_the_rows(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "splits"
            protocols.write_splits(protocols.splits(table()), out)
            self.assertEqual(len(list(out.iterdir())), 12)
            with (out / "p1.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            self.assertEqual(list(rows[0]), ["track", "genre", "artist", "part", "excerpt"])
            self.assertEqual({row["excerpt"] for row in rows}, {str(n) for n in range(13)})
            self.assertEqual((out / "p3.csv").read_text().splitlines()[0], "track,genre,artist,part")

    def test_a_wrong_table_is_refused(self) -> None:
        head = "track,genre,artist,exact_duplicate_of,fault_filtered_split\n"
        cases = [
            ("track,genre\na,b\n", "no column 'artist'"),
            (head, "no tracks"),
            (head + "a,g,,,train\na,g,,,train\n", "a is in it 2 times"),
            (head + "a,g,,b,train\n", "duplicate of b, which is not in it"),
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tracks.csv"
            for text, message in cases:
                path.write_text(text)
                with self.subTest(message), self.assertRaisesRegex(protocols.ProtocolError, message):
                    protocols.read_tracks(path)

    def test_a_genre_of_one_artist_cannot_be_validated_by_artist(self) -> None:
        tracks = [Track(f"a{i}", "g", "Star", "", "") for i in range(10)]
        tracks += [Track(f"b{i}", "h", f"artist {i}", "", "") for i in range(10)]
        with self.assertRaisesRegex(protocols.ProtocolError, "g: its tracks cannot be parted"):
            protocols.folds(tracks, protocols.artist_ties, "x")


if __name__ == "__main__":
    unittest.main()
