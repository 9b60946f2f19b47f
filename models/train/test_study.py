"""Tests of the studies' stages with made-up features and stand-ins for the two Rust programs."""

import contextlib
import csv
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

import stages
import studies
import study
from studies import Study
from test_train import write_features

HERE = Path(__file__).parent
SHORT = ("--epochs", "1", "--precision", "float32")
EVALUATION = {"accuracy": 0.5, "confusion": [[1, 1], [1, 1]], "interval": [0.1, 0.9]}

# Both programs log their calls; the file `mishap` beside them makes the next call go wrong, once.
PROGRAM = """#!{python}
import json, os, signal, sys
from pathlib import Path
here, arguments = Path(__file__).parent, sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([Path(__file__).name, *arguments]) + "\\n")
given = dict(zip(arguments, arguments[1:]))
mishap = here / "mishap"
wrong = mishap.read_text() if mishap.is_file() else ""
if Path(__file__).name == "quantize":
    out = Path(given["--out"])
    out.mkdir(parents=True)
    (out / "float.onnx").write_bytes(Path(given["--float"]).read_bytes())
    if wrong:
        mishap.unlink()
        os.kill(os.getppid(), signal.SIGKILL) if wrong == "kill" else sys.exit(3)
        sys.exit(0)
    (out / "manifest.toml").write_text("name = 'x'")
else:
    out = Path(given["--json"])
    out.write_text("half a rec")
    if wrong:
        mishap.unlink()
        sys.exit(3)
    model = Path(given["--model"]) / "manifest.toml"
    sha256 = "shipped" if "shipped" in model.read_text() else "trained"
    side = {evaluation}
    record = {{"package": {{"sha256": sha256}}}}
    if "--not-music" in arguments:
        kinds = (here / "kinds").read_text().split() if (here / "kinds").is_file() else ["hum", "speech"]
        record["not_music"] = {{"share": 0.25, "kinds": [{{"kind": kind}} for kind in kinds]}}
    else:
        record.update(excerpt=side, track=side)
    out.write_text(json.dumps(record))
"""


class Scratch(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.features = self.folder / "features"
        write_features(self.features, frames=88 * 12 + 166)
        rows = list(csv.DictReader((self.features / "split.csv").read_text().splitlines()))
        lines = ["track,genre,artist,exact_duplicate_of,fault_filtered_split"]
        lines += [f"{row['track']},{row['genre']},{row['artist']},,{row['part']}" for row in rows]
        self.table = self.folder / "tracks.csv"
        self.table.write_text("\n".join(lines) + "\n")
        for name in ("harmonynet", "quantize"):
            program = self.folder / name
            program.write_text(PROGRAM.format(python=sys.executable, evaluation=repr(EVALUATION)))
            program.chmod(0o755)
        package = self.folder / "package"
        package.mkdir()
        (package / "training.json").write_text(json.dumps({"configuration": {}, "code": {"sha256": "-"}}))
        self.ship("shipped")
        short = {name: studies.Protocol(p.split, p.text, p.recipes, p.folds, (*p.arguments, *SHORT))
                 for name, p in studies.PROTOCOLS.items()}  # fmt: skip
        patch = mock.patch.dict(studies.PROTOCOLS, short)
        patch.start()
        self.addCleanup(patch.stop)
        quiet = contextlib.redirect_stdout(io.StringIO())
        self.printed = quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def ship(self, sha256: str) -> None:
        (self.folder / "package" / "manifest.toml").write_text(f'[graphs.int8]\nsha256 = "{sha256}"\n')

    def arguments(self, *words: str) -> list[str]:
        places = {"split": self.table, "features": self.features, "threads": 1}
        names = ("audio", "runs", "records", "package", "harmonynet", "quantize")
        places.update({name: self.folder / name for name in names})
        return ["run", *words, *(str(word) for key, value in places.items() for word in (f"--{key}", value))]

    def studio(self, *words: str) -> study.Studio:
        return study.Studio(study.parse(self.arguments(*(words or ("all",)))))

    def calls(self, name: str) -> list[list[str]]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.is_file() else []
        return [call for call in map(json.loads, lines) if call[0] == name]

    def epochs_trained(self, one: Study) -> int:
        log = self.folder / "runs" / one.name / "training" / "log.jsonl"
        return len(log.read_text().splitlines()) if log.is_file() else 0


class Running(Scratch):
    one = Study("p2-track", "paper", 3)

    def test_from_split_to_record_and_then_nothing_more(self) -> None:
        self.assertEqual(study.run_all(self.studio(), [self.one]), [])
        text = (self.folder / "records" / "p2-track-paper-fold3.json").read_text()
        record = json.loads(text)
        self.assertEqual((record["protocol"], record["recipe"], record["fold"]), ("p2-track", "paper", 3))
        self.assertEqual(record["training"]["configuration"]["windows"], "grid")
        self.assertTrue(record["training"]["result"]["finished"])
        self.assertEqual(record["evaluation"]["package"]["sha256"], "trained")
        self.assertNotIn(str(self.folder), text)
        call = self.calls("harmonynet")[0]
        self.assertEqual(call[call.index("--part") + 1], "test")
        self.assertEqual(study.run_all(self.studio(), [self.one]), [])
        self.assertEqual((len(self.calls("quantize")), len(self.calls("harmonynet"))), (1, 1))

    def test_a_failed_stage_is_named_and_only_it_is_run_again(self) -> None:
        (self.folder / "mishap").write_text("fail")  # the quantizer's
        self.assertEqual(study.run_all(self.studio(), [self.one]), [f"{self.one.name}: quantize ended with status 3"])
        trained = (self.folder / "runs" / self.one.name / "training" / "best.pt").stat().st_mtime_ns
        patch = mock.patch.object(study.Studio, "evaluate", side_effect=study.StudyError("later"))
        with patch:
            study.run_all(self.studio(), [self.one])
        (self.folder / "mishap").write_text("fail")  # the evaluation's, which leaves half a file
        self.assertEqual(study.run_all(self.studio(), [self.one]), [f"{self.one.name}: harmonynet ended with status 3"])
        self.assertEqual(study.run_all(self.studio(), [self.one]), [])
        self.assertEqual((len(self.calls("quantize")), len(self.calls("harmonynet"))), (2, 2))
        self.assertEqual(self.epochs_trained(self.one), 1)
        self.assertEqual((self.folder / "runs" / self.one.name / "training" / "best.pt").stat().st_mtime_ns, trained)
        package = self.folder / "runs" / self.one.name / "package"
        self.assertEqual(sorted(path.name for path in package.iterdir()), ["float.onnx", "manifest.toml"])

    def test_a_killed_call_goes_on_where_it_was(self) -> None:
        (self.folder / "mishap").write_text("kill")
        script = (
            "import studies, study; "
            f"studies.PROTOCOLS['p3'] = studies.Protocol('p3', 'in short', arguments={SHORT!r}); "
            "study.main()"
        )
        call = [sys.executable, "-c", script, *self.arguments("p3", "--recipe", "paper")]
        killed = subprocess.run(call, cwd=HERE, capture_output=True, text=True)
        self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
        self.assertFalse((self.folder / "records").exists())
        again = subprocess.run(call, cwd=HERE, capture_output=True, text=True)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.epochs_trained(Study("p3", "paper")), 1)
        self.assertTrue((self.folder / "records" / "p3-paper.json").is_file())

    def test_a_study_at_which_another_process_is_is_left_to_it(self) -> None:
        folder = self.folder / "runs" / self.one.name
        folder.mkdir(parents=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.assertEqual(study.run_all(self.studio(), [self.one]), [])
        self.assertIn("another process is at it", self.printed.getvalue())
        self.assertFalse((folder / "split.csv").exists())

    def test_another_configuration_is_not_mixed_with_what_is_there(self) -> None:
        study.run_all(self.studio(), [self.one])
        arguments = (*studies.WINDOWS_OF_P3, *SHORT, "--seed", "9")
        changed = studies.Protocol("p2-track", "", ("paper",), 5, arguments)
        with mock.patch.dict(studies.PROTOCOLS, {"p2-track": changed}):
            studio = self.studio()
            self.assertFalse(studio.done(self.one))
            (failed,) = study.run_all(studio, [self.one])
        self.assertIn("configuration.seed was 1 and is now 9; delete this folder", failed)
        self.assertEqual(len(self.calls("harmonynet")), 1)

    def test_the_shipped_recipe_hears_what_isn_t_music_and_rooms(self) -> None:
        one = Study("p2-track", "shipped", 1)
        listener = ["--begin-with", "listener", "--heard", "3"]
        beside = ["--not-music", "speech", "--rooms", "1", "2"]
        options = [("--not-music", "speech"), ("--rooms", "1", "2"), ("--heard", "3"), ("--listener", "listener")]
        given = ["all"]
        for option in options:
            study.run_all(self.studio(*given), [one])
            self.assertIn(f"p2-track-shipped-fold1: skipped, needs {option[0]}", self.printed.getvalue())
            given += option
        with mock.patch.object(stages, "execute", side_effect=study.StudyError("seen")) as execute:
            for chosen, has_them in ((one, True), (self.one, False)):
                study.run_all(self.studio(*given), [chosen])
                call = [str(word) for word in execute.call_args.args[0]]
                self.assertEqual(call[-9:] == [*listener, *beside], has_them)

    def test_the_shipped_package_is_measured_once_per_model(self) -> None:
        shipped = Study("p3", "shipped", trains=False)
        for _ in range(2):
            self.assertEqual(study.run_all(self.studio(), [shipped]), [])
        self.assertEqual(len(self.calls("harmonynet")), 1)
        self.ship("the next one")
        self.assertFalse(self.studio().done(shipped))
        study.run_all(self.studio(), [shipped])
        self.assertEqual(len(self.calls("harmonynet")), 2)
        self.assertEqual(self.calls("quantize"), [])

    def test_sounds_that_are_no_music_need_no_split_but_speech(self) -> None:
        one = Study("not-music", "shipped", trains=False)
        (self.folder / "kinds").write_text("hum")
        self.assertIn("espeak-ng is missing", study.run_all(self.studio(), [one])[0])
        (self.folder / "kinds").unlink()
        self.assertEqual(study.run_all(self.studio(), [one]), [])
        self.assertNotIn("--split", self.calls("harmonynet")[1])
        study.show(self.studio(), [one])
        self.assertIn("not-music-shipped  done: shown 0.250", self.printed.getvalue())

    def test_a_split_by_excerpts_is_quantized_on_its_own_excerpts(self) -> None:
        studio, one = self.studio(), Study("p1", "shipped")
        rows, out = studio.split(one), self.folder / "excerpts"
        split = stages.excerpts_as_tracks(self.features, rows, studio.config(one), out)
        listed = {row["track"]: row for row in csv.DictReader(split.read_text().splitlines())}
        parts = {f"{row.track.name}-{row.excerpt}": row.part for row in rows}
        self.assertEqual({name: row["part"] for name, row in listed.items()},
                         {name: part for name, part in parts.items() if part != "test"})  # fmt: skip
        name, row = next(iter(listed.items()))
        track, excerpt = name.rsplit("-", 1)
        whole = np.load(self.features / row["genre"] / f"{track}.npy")
        first = 88 * int(excerpt)
        np.testing.assert_array_equal(np.load(out / row["genre"] / f"{name}.npy"), whole[first : first + 166])

    def test_p1_runs_to_its_record(self) -> None:
        self.assertEqual(study.run_all(self.studio(), [Study("p1", "paper")]), [])
        call = self.calls("quantize")[0]
        self.assertTrue(call[call.index("--features") + 1].endswith("p1-paper/excerpts"))


class Listing(Scratch):
    def test_list_names_what_is_done_begun_and_missing(self) -> None:
        one = Study("p3", "paper")
        study.run_all(self.studio(), [one])
        (self.folder / "records" / "p3-paper.json").rename(self.folder / "p3-paper.json")
        study.show(self.studio(), studies.all_studies())
        self.assertRegex(self.printed.getvalue(), r"p3-paper +missing, training finished epoch 1\n")
        (self.folder / "p3-paper.json").rename(self.folder / "records" / "p3-paper.json")
        study.show(self.studio(), studies.all_studies())
        self.assertRegex(self.printed.getvalue(), r"p3-paper +done: excerpt 0.500, track 0.500")
        self.assertRegex(self.printed.getvalue(), r"p1-paper +missing, about \d+ min of training")

    def test_what_trainings_took_is_the_estimate_for_the_rest(self) -> None:
        study.run_all(self.studio(), [Study("p3", "paper")])
        path = self.folder / "records" / "p3-paper.json"
        record = json.loads(path.read_text())
        record["training"]["result"]["seconds"] = 520  # one epoch of four tracks, 13 windows each: 10 s a window
        path.write_text(json.dumps(record))
        studio = self.studio()
        pace = study.pace_of(studio)
        self.assertEqual(pace["paper"], (10.0, 1.0))
        rows = sum(row.part == "train" for row in studio.split(Study("p2-track", "paper", 1)))
        self.assertAlmostEqual(study.seconds_left(studio, Study("p2-track", "paper", 1), pace), rows * 13 * 10.0)

    def test_the_command_line_names_studies(self) -> None:
        names = [one.name for one in study.chosen_studies(study.parse(self.arguments("p2-track", "--fold", "2")))]
        self.assertEqual(names, ["p2-track-paper-fold2", "p2-track-shipped-fold2"])
        with self.assertRaisesRegex(study.StudyError, "no such study"):
            study.chosen_studies(study.parse(self.arguments("p1", "--fold", "2")))


class Records(unittest.TestCase):
    def test_a_path_of_the_machine_is_refused(self) -> None:
        stages.names_a_path({"a": ["no path", 3, {"b": "and/or"}]})
        for path in ("/tmp/x", "../data", f"in {Path.home()}/x"):
            with self.assertRaisesRegex(study.StudyError, r"record.a\[0\].b names a path"):
                stages.names_a_path({"a": [{"b": path}]})


if __name__ == "__main__":
    unittest.main()
