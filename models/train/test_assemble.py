"""Tests of pooling and of the tables, on made-up records."""

import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import assemble
import metrics
import pooling
from studies import PROTOCOLS, RecordError, Study, all_studies, of_protocol, read_record

HERE = Path(__file__).parent
LABELS = ["calm", "loud", "odd"]
CARD = """# Card

<!-- table: protocols -->
<!-- end table -->

Between.

<!-- table: genres p2-track-paper -->
7 wolves
<!-- end table -->
<!-- table: metrics -->
<!-- end table -->
"""


def evaluation(seed: int, tracks: int = 30, things: int = 13) -> dict:
    """What `harmonynet evaluate` might say of `tracks` tracks, from drawn verdicts."""
    draw = random.Random(seed)
    confusions = {"excerpt": [[0] * 3 for _ in LABELS], "track": [[0] * 3 for _ in LABELS]}
    hits: dict[tuple[int, int], int] = {}
    for track in range(tracks):
        truth, skill = track % 3, draw.random()
        said = [truth if draw.random() < skill else draw.randrange(3) for _ in range(things)]
        for verdict in said:
            confusions["excerpt"][truth][verdict] += 1
        confusions["track"][truth][max(range(3), key=said.count)] += 1
        key = (things, said.count(truth))
        hits[key] = hits.get(key, 0) + 1
    sides = {kind: {"confusion": matrix, "interval": [0.111, 0.999]} for kind, matrix in confusions.items()}
    for side in sides.values():
        side["accuracy"] = sum(side["confusion"][i][i] for i in range(3)) / sum(map(sum, side["confusion"]))
    return {
        "package": {"name": "x", "version": "1", "sha256": "0", "precision": "int8"},
        "labels": LABELS,
        **sides,
        "hits": [[*key, number] for key, number in sorted(hits.items())],
        "calibration": {
            "ece": 0.0412345, "chance": 0.02, "bins": [{"excerpts": 39, "confidence": 0.5, "accuracy": 0.4}]
        },
        "shown": 0.91234,
        "shown_accuracy": 0.7,
        "engine": "native",
        "compared": [{"graph": "float", "excerpt": 0.7001, "track": 0.8, "agreement": 0.98765}],
        "rooms": [
            {"room": f"room {n}", "loudspeaker": "a", "microphone": "b", "noise": "c", "snr_db": snr, "excerpt": 0.6,
             "track": 0.7, "agreement": 0.8, "excerpt_gap": gap, "track_gap": 0.1}
            for n, (snr, gap) in enumerate([(20.0, 0.03), (20.0, 0.05), (10.0, 0.5)])
        ],
        "not_music": {
            "windows": 100, "shown": 3, "share": 0.03,
            "kinds": [{"kind": "hum", "windows": 100, "shown": 3, "share": 0.03}],
        },
        "against": [{"audio": "mp3", "excerpt": 0.9, "track": 0.9, "agreement": 0.97}],
    }  # fmt: skip


def write_record(folder: Path, study: Study, content: dict) -> None:
    record = {"protocol": study.protocol, "recipe": study.recipe, "fold": study.fold, "evaluation": content}
    (folder / f"{study.name}.json").write_text(json.dumps(record))


class Pooling(unittest.TestCase):
    def test_folds_are_summed_not_averaged(self) -> None:
        first, second = evaluation(1, tracks=30), evaluation(2, tracks=60)
        pooled = pooling.pool([first, second])
        self.assertEqual((pooled.track.total, pooled.excerpt.total), (90, 90 * 13))
        right = sum(e["track"]["confusion"][i][i] for e in (first, second) for i in range(3))
        self.assertEqual(pooled.track.accuracy, right / 90)
        mean = (first["track"]["accuracy"] + second["track"]["accuracy"]) / 2
        self.assertNotAlmostEqual(pooled.track.accuracy, mean, places=4)
        for side in (pooled.track, pooled.excerpt):
            low, high = side.interval
            self.assertTrue(low < side.accuracy < high and 0.02 < high - low < 0.3, side.interval)

    def test_one_record_keeps_its_own_interval(self) -> None:
        self.assertEqual(pooling.pool([evaluation(1)]).excerpt.interval, (0.111, 0.999))

    def test_precision_recall_f1_and_their_macro(self) -> None:
        judged = pooling.Judged([[2, 1, 0], [0, 1, 0], [0, 0, 0]], (0, 1))
        self.assertEqual(judged.quality(0), pooling.Quality(1.0, 2 / 3, 0.8))
        self.assertEqual(judged.quality(1), pooling.Quality(0.5, 1.0, 2 / 3))
        self.assertAlmostEqual(judged.macro.precision, 0.75)  # of the two labels that were there
        self.assertAlmostEqual(judged.macro.f1, (0.8 + 2 / 3) / 2)

    def test_tracks_of_one_thing_have_the_interval_of_the_binomial_distribution(self) -> None:
        low, high = pooling.bootstrap([(1, 0)] * 100 + [(1, 1)] * 300)
        half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
        self.assertAlmostEqual(low, 0.75 - half, delta=0.006)
        self.assertAlmostEqual(high, 0.75 + half, delta=0.006)

    def test_alike_excerpts_of_a_track_count_as_one_opinion(self) -> None:
        low, high = pooling.bootstrap([(13, 0)] * 20 + [(13, 13)] * 20)
        self.assertGreater(high - low, 0.25)

    def test_records_that_don_t_fit_are_refused(self) -> None:
        other = {**evaluation(2), "labels": ["a", "b", "c"]}
        with self.assertRaisesRegex(pooling.PoolError, "different labels"):
            pooling.pool([evaluation(1), other])
        short = evaluation(2)
        short["hits"][0][2] += 1
        with self.assertRaisesRegex(pooling.PoolError, "histograms"):
            pooling.pool([evaluation(1), short])


class Studies(unittest.TestCase):
    def test_names_are_unique_and_every_split_and_recipe_is_known(self) -> None:
        studies = all_studies()
        self.assertEqual(len({study.name for study in studies}), len(studies))
        self.assertIn("p2-track-paper-fold3", [study.name for study in studies])
        self.assertEqual(len([study for study in studies if study.protocol == "p2-artist"]), 10)
        self.assertEqual({study.split for study in studies if study.protocol == "p2-track"},
                         {f"p2-track-{fold}" for fold in range(1, 6)})  # fmt: skip

    def test_a_record_under_a_wrong_name_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first, second = of_protocol("p2-track", "paper")[:2]
            self.assertIsNone(read_record(folder, first))
            write_record(folder, first, evaluation(1))
            (folder / f"{first.name}.json").rename(folder / f"{second.name}.json")
            with self.assertRaisesRegex(RecordError, "fold is 1; its name says 2"):
                read_record(folder, second)


class Assembling(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.records = self.folder / "records"
        self.records.mkdir()
        (self.folder / "CARD.md").write_text(CARD)

    def fill(self) -> None:
        for index, study in enumerate(all_studies()):
            write_record(self.records, study, evaluation(index, things=13 if study.fold else 12))

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        call = [sys.executable, HERE / "assemble.py", "--records", self.records, "--package", self.folder, *arguments]
        return subprocess.run(call, capture_output=True, text=True)

    def test_written_tables_pass_the_check_and_a_changed_digit_does_not(self) -> None:
        self.fill()
        self.assertEqual(self.command("--check").returncode, 1)
        self.assertEqual(self.command().returncode, 0)
        self.assertEqual(self.command("--check").returncode, 0)
        for path in (self.folder / "CARD.md", self.folder / "metrics.json"):
            good = path.read_text()
            place = next(i for i in range(len(good) - 1, 0, -1) if good[i].isdigit())
            path.write_text(good[:place] + str((int(good[place]) + 1) % 10) + good[place + 1 :])
            checked = self.command("--check")
            self.assertEqual(checked.returncode, 1)
            self.assertIn(f"{path.name}:", checked.stderr)
            path.write_text(good)
        self.assertEqual(self.command("--check").returncode, 0)

    def test_metrics_are_the_records_figures(self) -> None:
        self.fill()
        figures = metrics.metrics(pooling.Records(self.records))
        self.assertEqual(list(figures), list(metrics.METRICS))
        self.assertEqual((figures["p3_agreement"], figures["p3_excerpt_f32"], figures["ece"]), (0.9877, 0.7001, 0.0412))
        self.assertEqual(figures["rooms_20db_gap"], 0.04)
        self.assertEqual(figures["not_music_shown"], 0.03)
        pooled = pooling.pool([
            read_record(self.records, study)["evaluation"] for study in of_protocol("p2-track", "paper")
        ])  # fmt: skip
        self.assertEqual(figures["p2_track_int8"], round(pooled.track.accuracy, 4))
        lossless = read_record(self.records, Study("lossless", "shipped", trains=False))["evaluation"]
        self.assertEqual(figures["lossless_gap"], round(0.9 - lossless["excerpt"]["accuracy"], 4))

    def test_what_is_missing_is_left_out_and_named(self) -> None:
        self.fill()
        (self.records / "p2-track-paper-fold4.json").unlink()
        done = self.command()
        self.assertIn("no record yet: p2-track-paper-fold4.json", done.stdout)
        self.assertIn("left out of metrics.json: p2_track_int8", done.stdout)
        self.assertNotIn("p2_track_int8", json.loads((self.folder / "metrics.json").read_text()))
        card = (self.folder / "CARD.md").read_text()
        self.assertIn("*Not measured yet: p2-track-paper.*", card)
        self.assertNotIn("wolves", card)
        self.assertIn("Between.", card)

    def test_every_table_can_be_made_with_and_without_records(self) -> None:
        for filled in (False, True):
            if filled:
                self.fill()
                training = {"configuration": {"epochs": 9}, "result": {"validation": {"excerpt": 0.5, "track": 0.6}}}
                (self.records / "a-trial.json").write_text(json.dumps(training))
            for name, make in assemble.TABLES.items():
                text = make(pooling.Records(self.records), "p3-shipped")
                self.assertEqual("ot measured yet" in text, not filled and name != "trials", (name, text))
                lines = [line.count("|") for line in text.splitlines() if line.startswith("|")]
                self.assertLessEqual(len(set(lines)), 1, name)
        self.assertIn("| `a-trial` | 9 |", assemble.trials_table(pooling.Records(self.records), ""))

    def test_a_record_that_lacks_something_is_named(self) -> None:
        self.fill()
        rooms = Study("rooms", "shipped", trains=False)
        write_record(self.records, rooms, {**evaluation(1), "rooms": []})
        self.assertIn("rooms_20db_gap: the record of rooms-shipped lacks something", self.command().stderr)
        write_record(self.records, Study("p3", "paper"), {"labels": LABELS})
        self.assertIn("the records of p3-paper lack something: KeyError('excerpt')", self.command().stderr)

    def test_unknown_tables_and_studies_and_open_ends_are_refused(self) -> None:
        cases = [
            ("<!-- table: mood -->\n<!-- end table -->\n", "no table 'mood'"),
            ("<!-- table: genres p2-track -->\n<!-- end table -->\n", "no study 'p2-track'"),
            ("<!-- table: metrics -->\n", "has no end"),
            ("<!-- table: metrics -->\n<!-- table: metrics -->\n<!-- end table -->\n", "has no end"),
        ]
        for text, message in cases:
            with self.subTest(text), self.assertRaisesRegex((assemble.AssembleError, pooling.PoolError), message):
                assemble.assembled(text, pooling.Records(self.records))

    def test_the_paper_s_ablations_all_have_a_protocol(self) -> None:
        self.assertLessEqual(set(assemble.PAPER_CLAIMS), set(PROTOCOLS))


class Repository(unittest.TestCase):
    def test_card_and_metrics_are_what_the_records_say(self) -> None:
        done = subprocess.run([sys.executable, HERE / "assemble.py", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
