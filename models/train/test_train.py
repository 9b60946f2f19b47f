"""Tests of the recipe on made-up features: python -m unittest discover -s models/train"""

import contextlib
import io
import json
import math
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import torch

import augment
import data
import evaluate
import export
import heard
import train
from network import (
    HOP_FRAMES,
    MEL_BANDS,
    WINDOW_FRAMES,
    WINDOW_STEPS,
    Dropout,
    HarmonyNet,
    frames_for,
    parameter_count,
    steps_for,
)
from recipe import TEACHERS, Config, TrainError, network_for, rate_at
from trainer import Trainer

torch.set_num_threads(1)  # small work, and the same sums on every machine

GENRES = ("calm", "loud")
FRONTEND = {
    "fingerprint": "0123456789abcdef",
    "spec": {"revision": 1, "rate_hz": 22050, "hop": 512, "mel_bands": MEL_BANDS},
}


def write_features(folder: Path, tracks: int = 6, frames: int = 300) -> None:
    """Two genres that differ in the slope over the bands, and a split with two tracks of each genre per part."""
    noise = np.random.default_rng(5)
    rows = ["track,genre,part,artist"]
    for sign, genre in zip((-1, 1), GENRES):
        (folder / genre).mkdir(parents=True)
        for index in range(tracks):
            octaves = sign * np.linspace(-2, 2, MEL_BANDS) + noise.normal(0, 1, (frames + index, MEL_BANDS))
            np.save(folder / genre / f"{genre}.{index}.npy", np.round(octaves * 256).astype(np.int16))
            rows.append(f"{genre}.{index},{genre},{data.PARTS[index % 3]},artist {genre} {index}")
    (folder / "frontend.json").write_text(json.dumps(FRONTEND))
    (folder / "split.csv").write_text("\n".join(rows) + "\n")


class Scratch(unittest.TestCase):
    """A folder of made-up features, and silence on standard output."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.features = self.folder / "features"
        write_features(self.features)
        self.split = self.features / "split.csv"
        quiet = contextlib.redirect_stdout(io.StringIO())
        self.printed = quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def entries(self) -> list[data.Entry]:
        return data.read_split(self.split, "part", self.features)

    def with_unlabelled(self, recordings: int = 3) -> tuple[Path, Path]:
        """Music without labels in two forms, 5 and 6 octaves everywhere, and what is heard in it and in the others."""
        forms, heard_in = (self.folder / "coded", self.folder / "original"), self.folder / "heard"
        rng = np.random.default_rng(6)
        for level, folder in zip((5, 6), forms):
            (folder / "music").mkdir(parents=True)
            (folder / "frontend.json").write_text(json.dumps(FRONTEND))
            for number in range(recordings):
                np.save(folder / "music" / f"{number}.npy", np.full((250, MEL_BANDS), level * 256, np.int16))
        for path in [*self.features.glob("*/*.npy"), *forms[0].glob("*/*.npy")]:
            windows = (len(np.load(path)) - WINDOW_FRAMES) // 40 + 1
            (heard_in / path.parent.name).mkdir(parents=True, exist_ok=True)
            np.save(heard_in / path.parent.name / path.name, rng.normal(0, 1, (windows, 200)).astype(np.float32))
        (heard_in / "heard.json").write_text(json.dumps({"spacing": 40, "frames": WINDOW_FRAMES}))
        return forms


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.model = export.untrained(3, 10, "mean")

    def test_n_steps_need_8n_plus_14_frames(self) -> None:
        model = HarmonyNet(10).eval()
        for steps in (1, 2, WINDOW_STEPS):
            for extra in (0, 7):
                x = torch.zeros(2, frames_for(steps) + extra, MEL_BANDS)
                self.assertEqual(model.features(x).shape, (2, steps, 2048))
                self.assertEqual(steps_for(x.shape[1]), steps)
        self.assertEqual(model.features(torch.zeros(1, frames_for(3) - 1, MEL_BANDS)).shape[1], 2)
        self.assertEqual((WINDOW_FRAMES, WINDOW_STEPS, HOP_FRAMES % 8), (166, 19, 0))

    def test_parameters(self) -> None:
        self.assertEqual(parameter_count(HarmonyNet(10)), 634_730)

    def test_a_window_equals_the_same_frames_inside_a_stream(self) -> None:
        stream = torch.randn(1, frames_for(60), MEL_BANDS) * 2
        with torch.no_grad():
            whole = self.model.features(stream)
            for first in (0, 5, 41):
                window = self.model.features(stream[:, 8 * first : 8 * first + WINDOW_FRAMES])
                torch.testing.assert_close(window, whole[:, first : first + WINDOW_STEPS], rtol=1e-5, atol=1e-5)

    def test_a_step_ignores_frames_after_its_own(self) -> None:
        stream = torch.randn(1, WINDOW_FRAMES, MEL_BANDS)
        changed = stream.clone()
        changed[:, frames_for(10) :] += 5
        with torch.no_grad():
            before, after = self.model.features(stream), self.model.features(changed)
        torch.testing.assert_close(before[:, :10], after[:, :10])
        self.assertGreater(float((before[:, 10:] - after[:, 10:]).abs().max()), 0.1)

    def test_feature_index_is_channel_major(self) -> None:
        x = torch.randn(1, WINDOW_FRAMES, MEL_BANDS)
        with torch.no_grad():
            image = x.unsqueeze(1)
            for block in self.model.blocks:
                image = block(image)
            steps = self.model.features(x)
        self.assertEqual(image.shape, (1, 128, 19, 16))
        self.assertEqual(float(steps[0, 7, 100 * 16 + 9]), float(image[0, 100, 7, 9]))

    def test_dropout_keeps_the_mean_and_rests_in_evaluation(self) -> None:
        torch.manual_seed(1)
        drop = Dropout(0.3).train()
        for shape in ((8, 32, 41, 64), (1000, 64)):
            dropped = drop(torch.ones(shape))
            self.assertAlmostEqual(float((dropped == 0).float().mean()), 0.3, delta=0.01)
            self.assertAlmostEqual(float(dropped.mean()), 1.0, delta=0.02)
        self.assertTrue(bool((drop.eval()(torch.ones(9)) == 1).all()))


class Export(unittest.TestCase):
    def test_equals_pytorch_for_both_readouts(self) -> None:
        for readout, node in (("mean", "mean"), ("last", "last")):
            model = export.untrained(11, 10, readout)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "float.onnx"
                self.assertLessEqual(export.export(model, list(export.GTZAN_LABELS), path), export.TOLERANCE)
                names = [n.name for n in onnx.load(path).graph.node]
            for name in ("conv1", "norm2", "relu3", "pool3", "lstm", node, "dense"):
                self.assertIn(name, names)

    def test_a_network_is_read_from_its_graph(self) -> None:
        for readout in ("mean", "last", "none"):
            model = export.untrained(12, 3, readout, 6)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "float.onnx"
                path.write_bytes(export.build_graph(model, ["a", "b", "c"]).SerializeToString())
                found = export.read_graph(path, 0.25)
                path.write_bytes(path.read_bytes()[:-40_000])
                with self.assertRaisesRegex(export.ExportError, "float.onnx is no graph that was written here"):
                    export.read_graph(path, 0.25)
            self.assertEqual((found.readout, found.drop.dropped), (readout, 64))
            for name, value in model.state_dict().items():
                if not name.endswith("batches_tracked"):
                    torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=0)

    def test_a_wrong_graph_is_noticed(self) -> None:
        model = export.untrained(11, 10, "mean")
        graph = export.build_graph(model, list(export.GTZAN_LABELS)).SerializeToString()
        with torch.no_grad():
            model.lstm.bias_ih_l0[70] += 0.5
        self.assertGreater(export.difference(graph, model, windows=2), export.TOLERANCE)

    def test_per_excerpt_normalization_is_refused(self) -> None:
        with self.assertRaisesRegex(export.ExportError, "cannot stream"):
            export.build_graph(HarmonyNet(10, normalize="excerpt"), list(export.GTZAN_LABELS))


class Data(Scratch):
    def test_split_keeps_parts_and_leaves_others_out(self) -> None:
        with self.split.open("a") as file:
            file.write("calm.9,calm,none,nobody\n")
        entries = self.entries()
        self.assertEqual(len(entries), 12)
        self.assertEqual([e.part for e in entries[:3]], ["train", "valid", "test"])
        self.assertEqual(data.labels_of(entries), ["calm", "loud"])

    def test_genre_comes_from_the_folder_where_the_split_has_none(self) -> None:
        self.split.write_text("track,part\nloud.0,train\ncalm.1,valid\n")
        self.assertEqual([e.genre for e in self.entries()], ["calm", "loud"])

    def test_tracks_of_one_name_in_two_genres_are_two(self) -> None:
        for genre in GENRES:
            (self.features / genre / f"{genre}.0.npy").rename(self.features / genre / "first.npy")
        entries = data.split_by_hash(self.features)
        self.assertEqual([entry.genre for entry in entries if entry.track == "first"], list(GENRES))
        everything = [data.Entry(entry.track, entry.genre, "train") for entry in entries]
        self.assertEqual(data.load_part(self.features, everything, "train", list(GENRES)).tracks.count("first"), 2)
        self.split.write_text(data.split_csv(entries))
        self.assertEqual(self.entries(), entries)
        self.split.write_text("track,part\nfirst,train\n")
        with self.assertRaisesRegex(data.DataError, "first is in calm and in loud; add a column 'genre'"):
            self.entries()

    def test_shared_artists_are_found(self) -> None:
        entries = self.entries()
        self.assertEqual(data.shared_artists(entries), {})
        twice = [data.Entry("x", "calm", "train", "A"), data.Entry("y", "calm", "test", "A")]
        self.assertEqual(data.shared_artists(entries + twice), {"A": ["test", "train"]})

    def test_data_hash_sees_parts_but_not_order(self) -> None:
        entries = self.entries()
        self.assertEqual(data.data_hash(entries), data.data_hash(entries[::-1]))
        moved = [data.Entry(entries[0].track, entries[0].genre, "valid")] + entries[1:]
        self.assertNotEqual(data.data_hash(entries), data.data_hash(moved))

    def test_errors_name_the_cause(self) -> None:
        entries = self.entries()
        cases = [
            ("no such folder", lambda: data.read_frontend(self.folder / "nowhere")),
            ("no column 'fold'", lambda: data.read_split(self.split, "fold", self.features)),
            ("no track for 'valid'", lambda: data.load_part(self.features, entries[:1], "valid", ["calm"])),
            ("training has not: loud", lambda: data.load_part(self.features, entries, "valid", ["calm"])),
            ("have no features", lambda: data.load_part(self.folder, entries, "valid", list(GENRES))),
        ]
        for text, call in cases:
            with self.subTest(text), self.assertRaisesRegex(data.DataError, text):
                call()
        np.save(self.features / "calm" / "calm.0.npy", np.zeros((200, 64), np.int16))
        with self.assertRaisesRegex(data.DataError, r"int16 \[200, 64\]; wanted int16 \[frames, 128\]"):
            data.load_part(self.features, entries, "train", list(GENRES))

    def test_windows_are_octaves_on_the_hop(self) -> None:
        part = data.load_part(self.features, self.entries(), "valid", list(GENRES))
        tracks, starts = data.evaluation_windows(part)
        self.assertEqual(list(starts[tracks == 0]), [0, 88])
        windows = data.cut(part, tracks, starts, WINDOW_FRAMES)
        np.testing.assert_array_equal(windows[1], part.features[0][88 : 88 + WINDOW_FRAMES] / 256)
        late = data.cut(part, np.array([0]), np.array([200]), WINDOW_FRAMES)
        np.testing.assert_array_equal(late[0, -1], part.features[0][-1] / 256)


def everything(
    x: torch.Tensor, targets: torch.Tensor, settings: augment.Augmentation, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a student is given of a batch."""
    x, targets = augment.mix(x, targets, settings, rng)
    return augment.disturb(x, settings, rng), targets


class Augmentation(unittest.TestCase):
    def setUp(self) -> None:
        noise = np.random.default_rng(0)
        frames = augment.STRONG.frames
        self.x = torch.from_numpy(noise.normal(0, 3, (16, frames, MEL_BANDS)).astype(np.float32))
        self.targets = torch.eye(4)[torch.arange(16) % 4]

    def test_strong_keeps_shape_range_and_total_target(self) -> None:
        x, targets = everything(self.x, self.targets, augment.STRONG, np.random.default_rng(1))
        self.assertEqual(x.shape, (16, WINDOW_FRAMES, MEL_BANDS))
        self.assertLessEqual(float(x.abs().max()), augment.LIMIT)
        torch.testing.assert_close(targets.sum(1), torch.ones(16))

    def test_the_generator_decides_everything(self) -> None:
        first, again, other = (
            everything(self.x, self.targets, augment.STRONG, np.random.default_rng(seed))[0] for seed in (1, 1, 2)
        )
        self.assertTrue(torch.equal(first, again))
        self.assertFalse(torch.equal(first, other))

    def test_colour_changes_bands_alike_in_every_frame(self) -> None:
        x = self.x[:, :WINDOW_FRAMES]
        added = augment.colour(x, augment.STRONG, np.random.default_rng(1)) - x
        torch.testing.assert_close(added, added[:, :1].expand_as(added), rtol=0, atol=1e-5)
        self.assertGreater(float(added.std()), 0.3)

    def test_a_noise_floor_never_lowers_a_band(self) -> None:
        settings = augment.Augmentation(noise=1.0)
        added = augment.noise_floor(self.x, settings, np.random.default_rng(1)) - self.x
        self.assertGreaterEqual(float(added.min()), -1e-5)
        self.assertGreater(float(added.max()), 1.0)

    def test_a_room_smears_power_into_later_frames_only_and_it_decays_by_60_db(self) -> None:
        settings = augment.Augmentation(reverb=1.0)
        x = torch.full((8, WINDOW_FRAMES, MEL_BANDS), -60.0)
        x[:, 20] = 10.0
        added = torch.exp2(augment.reverb(x, settings, np.random.default_rng(3)))
        torch.testing.assert_close(added[:, :20], torch.exp2(x[:, :20]), rtol=0, atol=1e-5)
        tail = torch.log2(added[:, 21:24, 0])
        self.assertTrue(bool((tail.diff(dim=1) < 0).all()))
        seconds = -math.log2(1e6) * settings.hop_seconds / tail.diff(dim=1)[:, 0]
        self.assertTrue(bool(((seconds > 0.14) & (seconds < 1.21)).all()), seconds)

    def test_a_small_loudspeaker_takes_the_lowest_and_highest_bands_only(self) -> None:
        x = torch.zeros(16, 4, MEL_BANDS)
        y = augment.speaker(x, augment.Augmentation(speaker=1.0), np.random.default_rng(1))
        self.assertLessEqual(float(y.max()), 0.0)
        middle = (augment.BAND_HZ > 500) & (augment.BAND_HZ < 3500)
        self.assertEqual(float(y[:, :, middle].abs().max()), 0.0)
        self.assertLess(float(y[:, :, 0].max()), -1.0)

    def test_treble_is_another_one_and_the_rest_stays(self) -> None:
        first = 128 * 9 // 16
        y = augment.treble(self.x, augment.Augmentation(treble=1.0), np.random.default_rng(1))
        self.assertTrue(torch.equal(y[:, :, :first], self.x[:, :, :first]))
        changed = (y[:, :, -8:] != self.x[:, :, -8:]).flatten(1).any(1)
        self.assertGreater(float(changed.float().mean()), 0.5, "all but those whose other window is themselves")
        # Where the codec has left nothing, half of them have a floor now; the others, another window's nothing.
        holes = torch.zeros(64, 166, 128)
        holes[:, :, 120:] = -augment.LIMIT
        filled = augment.treble(holes, augment.Augmentation(treble=1.0), np.random.default_rng(2))[:, :, -1]
        some = (filled > -augment.LIMIT + 1).float().mean(1)
        self.assertTrue(0.3 < float((some > 0.9).float().mean()) < 0.7)
        self.assertLess(float(filled.max()), 5.0)
        untouched = augment.treble(self.x, augment.Augmentation(treble=1e-9), np.random.default_rng(1))
        self.assertTrue(torch.equal(untouched, self.x))

    def test_soft_cells_are_grainier_than_loud_ones(self) -> None:
        x = torch.zeros(64, 166, 128)
        x[:, :, 64:] = 8.0
        added = augment.grain(x, augment.Augmentation(grain=0.7), np.random.default_rng(1)) - x
        grainy = added.flatten(1).std(1) > 0
        self.assertTrue(0.5 < float(grainy.float().mean()) < 0.9)
        self.assertLess(float(added[:, :, 64:].std()), 0.5 * float(added[:, :, :64].std()))
        self.assertLess(float(added.std()), 0.7)

    def test_a_disturbed_window_has_the_level_of_the_recorded_one(self) -> None:
        x = self.x[:, :WINDOW_FRAMES]
        settings = augment.Augmentation(speaker=1.0, reverb=1.0, ripple=1.0)
        y = augment.disturb(x, settings, np.random.default_rng(1))
        torch.testing.assert_close(augment.loudness(y), augment.loudness(x), rtol=0, atol=0.1)
        self.assertGreater(float((y - x).abs().mean()), 1.0)

    def test_none_changes_nothing(self) -> None:
        x, targets = everything(self.x, self.targets, augment.PRESETS["none"], np.random.default_rng(1))
        self.assertTrue(torch.equal(x, self.x) and torch.equal(targets, self.targets))


class Figures(unittest.TestCase):
    def test_track_verdict_is_the_mean_of_log_probabilities(self) -> None:
        # Two mild excerpts for label 0 and one that rules it out: the geometric mean decides for label 1.
        probabilities = np.array([[0.6, 0.4], [0.6, 0.4], [0.01, 0.99], [0.9, 0.1]])
        tracks, targets = np.array([0, 0, 0, 1]), np.array([1, 0])
        scores = evaluate.figures(np.log(probabilities), tracks, targets)
        self.assertEqual((scores["excerpt"], scores["track"]), (0.5, 1.0))

    def test_precision_recall_f1(self) -> None:
        matrix = evaluate.confusion(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)
        values = evaluate.per_label(matrix)
        np.testing.assert_allclose(values["precision"], [2 / 3, 1, 0])
        np.testing.assert_allclose(values["recall"], [1, 0.5, 0])
        np.testing.assert_allclose(values["f1"], [0.8, 2 / 3, 0])

    def test_temperature_of_an_overconfident_model_is_found(self) -> None:
        noise = np.random.default_rng(2)
        logits = noise.normal(0, 1.5, (20_000, 5))
        honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        truth = (honest.cumsum(1) > noise.random((len(logits), 1))).argmax(1)
        sharp = 2 * logits - np.log(np.exp(2 * logits).sum(1, keepdims=True))
        self.assertAlmostEqual(evaluate.fit_temperature(sharp, truth), 2.0, delta=0.1)


class Training(Scratch):
    config = Config(epochs=2, windows_per_track=3, batch=4, precision="float32", rate=3e-3, teachers="")

    not_music: Path | None = None
    rooms: list[Path] = []
    heard: Path | None = None
    unlabelled: tuple[Path, ...] = ()

    def go(
        self, name: str, config: Config | None = None, teachers_of: Path | None = None,
        begin_with: Path | None = None, **arguments: int,
    ) -> Trainer:  # fmt: skip
        rooms = tuple(self.rooms)
        source = train.Source(
            self.features, self.split, "part", self.not_music, rooms, teachers_of, self.heard, begin_with, self.unlabelled
        )
        return train.train(config or self.config, source, self.folder / name, **arguments)

    def with_a_hum(self) -> None:
        """Something to train on that isn't music: 7 octaves everywhere."""
        self.not_music = self.folder / "not-music"
        (self.not_music / "hum").mkdir(parents=True)
        (self.not_music / "frontend.json").write_text(json.dumps(FRONTEND))
        np.save(self.not_music / "hum" / "0000.npy", np.full((200, 128), 7 * 256, np.int16))

    def test_a_resumed_run_ends_like_an_uninterrupted_one(self) -> None:
        whole = self.go("whole")
        self.go("parts", stop_after=1)
        self.assertFalse(json.loads((self.folder / "parts" / "training.json").read_text())["result"]["finished"])
        parts = self.go("parts")
        self.assertEqual((whole.epoch, parts.epoch), (2, 2))
        for mine, theirs in zip(whole.averaged.model.state_dict().values(), parts.averaged.model.state_dict().values()):
            self.assertTrue(torch.equal(mine, theirs))
        logs = [(self.folder / name / "log.jsonl").read_text().splitlines() for name in ("whole", "parts")]
        losses = [[json.loads(line)["train_loss"] for line in log] for log in logs]
        self.assertEqual(losses[0], losses[1])
        self.assertEqual(len(losses[0]), 2)

    def test_the_record_is_complete_and_names_no_path(self) -> None:
        self.go("run")
        text = (self.folder / "run" / "training.json").read_text()
        record = json.loads(text)
        self.assertEqual(record["frontend"]["fingerprint"], FRONTEND["fingerprint"])
        self.assertEqual(record["data"]["tracks"], {"train": 4, "valid": 4, "test": 4})
        self.assertTrue(record["result"]["finished"])
        self.assertEqual(set(record["result"]["validation"]), {"excerpt", "track", "loss"})
        self.assertNotIn(str(self.folder), text)

    def test_a_changed_configuration_or_frontend_is_refused_by_name(self) -> None:
        self.go("run", stop_after=1)
        with self.assertRaisesRegex(TrainError, "configuration.rate was 0.003 and is now 0.1"):
            self.go("run", Config(**{**self.config.__dict__, "rate": 0.1}))
        (self.features / "frontend.json").write_text(json.dumps({**FRONTEND, "fingerprint": "other"}))
        with self.assertRaisesRegex(TrainError, "frontend.fingerprint"):
            self.go("run")
        with self.assertRaisesRegex(data.DataError, "fingerprint other"):
            evaluate.evaluate(self.folder / "run", self.features, self.split, "part", "valid")

    def test_training_never_reads_the_test_part(self) -> None:
        for path in self.features.glob("*/*.npy"):
            if int(path.stem.split(".")[1]) % 3 == 2:
                path.unlink()
        self.go("run")
        with self.assertRaisesRegex(data.DataError, "4 of 4 tracks for 'test' have no features"):
            evaluate.evaluate(self.folder / "run", self.features, self.split, "part", "test")

    def test_the_genres_are_learnt_and_the_best_network_is_exported(self) -> None:
        config = Config(
            epochs=4, windows_per_track=12, batch=8, precision="float32", rate=3e-3, augmentation="none", average=0.8,
            teachers="",
        )  # fmt: skip
        self.go("run", config)
        record = evaluate.evaluate(self.folder / "run", self.features, self.split, "part", "valid")
        self.assertEqual(record["figures"]["track"], 1.0)
        model, labels = export.load_run(self.folder / "run")
        self.assertEqual(labels, list(GENRES))
        self.assertLessEqual(export.export(model, labels, self.folder / "float.onnx"), export.TOLERANCE)

    def test_teachers_are_trained_first_and_a_student_agrees_with_them(self) -> None:
        # At a rate of nothing and with weights that don't decay it stays what it begins as.
        changed = {"teachers": "statistics,pooled,coarse", "rate": 0.0, "spacing": 40, "augmentation": "none"}
        config = Config(**{**self.config.__dict__, **changed})
        self.go("run", config, stop_after=1)
        self.assertFalse((self.folder / "run" / "training.json").exists(), "what comes first is not finished")
        trainer = self.go("run", config)
        names = [f"teacher-{number}-{name}" for number, name in enumerate(TEACHERS, 1)]
        for name in ("beginning", *names):
            record = json.loads((self.folder / "run" / name / "training.json").read_text())
            self.assertTrue(record["result"]["finished"])
        self.assertEqual(sorted(path.name for path in (self.folder / "run").iterdir() if path.is_dir()),
                         ["beginning", *names])  # fmt: skip
        begun = torch.load(self.folder / "run" / "beginning" / "best.pt", weights_only=True)["model"]
        torch.testing.assert_close(trainer.model.dense.weight.data, begun["dense.weight"])
        # Every window of the grid, asked about as it was recorded.
        self.assertEqual(trainer.lessons.shape, (sum((len(f) - WINDOW_FRAMES) // 40 + 1 for f in trainer.train.features), 2))
        tracks, starts = trainer.grid
        x = torch.from_numpy(data.cut(trainer.train, tracks[-3:], starts[-3:], WINDOW_FRAMES))
        each = []
        for name, kind in zip(names, TEACHERS):
            teacher = network_for(Config(network=kind), 2, 512).eval()
            teacher.load_state_dict(torch.load(self.folder / "run" / name / "best.pt", weights_only=True)["model"])
            each.append(torch.softmax(teacher(x), 1))
        torch.testing.assert_close(trainer.lessons[-3:], sum(each) / 3, rtol=1e-4, atol=1e-5)
        _, targets, taught = next(iter(trainer.batches(np.random.default_rng(1))))
        self.assertEqual((targets.shape, taught.shape), ((4, 2), (4, 2)))
        with self.assertRaisesRegex(export.ExportError, "is a teacher"):
            export.load_run(self.folder / "run" / names[0])
        made = {"teachers_of": self.folder / "run", "begin_with": self.folder / "run" / "beginning"}
        again = self.go("again", config, **made)
        self.assertEqual([path.name for path in (self.folder / "again").iterdir() if path.is_dir()], [])
        torch.testing.assert_close(again.lessons, trainer.lessons)
        self.go("eager", Config(**{**config.__dict__, "teaching": 0.5, "spacing": 80, "imitation": 1.0}), **made)
        other = Config(**{**config.__dict__, "lesson_epochs": 3})
        with self.assertRaisesRegex(TrainError, "lesson_epochs was 16 and is now 3; leave out --teachers-of"):
            self.go("other", other, **made)
        # A student is a beginning, too; a teacher is none, nor is a network without LSTM for one that has it.
        polished = self.go("polished", config, self.folder / "run", self.folder / "again")
        torch.testing.assert_close(polished.model.dense.weight.data, begun["dense.weight"])
        with self.assertRaisesRegex(TrainError, "network was 'statistics' and is now 'harmonynet'; leave out --begin"):
            self.go("other", config, self.folder / "run", self.folder / "run" / names[0])
        self.go("dense", Config(**{**self.config.__dict__, "readout": "none", "epochs": 1}))
        with self.assertRaisesRegex(TrainError, "has no LSTM"):
            self.go("other", config, self.folder / "run", self.folder / "dense")
        with self.assertRaisesRegex(TrainError, "no such run"):
            self.go("other", config, begin_with=self.folder / "nowhere")
        with self.assertRaisesRegex(TrainError, "no such teacher: parrot"):
            self.go("other", Config(**{**self.config.__dict__, "teachers": "parrot"}))

    def test_options_that_suit_another_hop_are_told(self) -> None:
        third, shipped = ({**FRONTEND["spec"], "hop": hop} for hop in (1536, 512))
        for steps, spec, told in ((19, third, True), (5, third, False), (9, shipped, False)):
            self.printed.truncate(0)
            train.hint_at_hop(Config(steps=steps), spec)
            self.assertEqual("windows of 11.6 s; --steps 5 --spacing 7" in self.printed.getvalue(), told)
            self.assertEqual(bool(self.printed.getvalue().strip("\0")), told)

    def test_without_a_split_the_run_says_who_was_trained_on(self) -> None:
        config = Config(**{**self.config.__dict__, "epochs": 1})
        train.train(config, train.Source(self.features), self.folder / "run")
        found = data.read_split(self.folder / "run" / "split.csv", "part", self.features)
        self.assertEqual(found, data.split_by_hash(self.features))

    def test_a_package_is_a_beginning_for_other_hops_and_labels_too(self) -> None:
        first = self.go("first")
        self.assertFalse((self.folder / "first" / "split.csv").exists())
        package = self.folder / "package"
        package.mkdir()
        export.export(*export.load_run(self.folder / "first"), package / "float.onnx")
        (package / "manifest.toml").touch()
        record = json.loads((self.folder / "first" / "training.json").read_text())

        def ship(**changed: object) -> None:
            (package / "training.json").write_text(json.dumps({**record, **changed}))

        ship()
        still = Config(**{**self.config.__dict__, "rate": 0.0, "epochs": 1})
        begun = self.go("begun", still, begin_with=package)
        for name in ("blocks.1.conv.weight", "lstm.weight_hh_l0", "dense.weight"):
            torch.testing.assert_close(begun.model.state_dict()[name], first.averaged.model.state_dict()[name])
        told = json.loads((self.folder / "begun" / "training.json").read_text())["data"]
        self.assertEqual(("begun_with" in told, "taught_by" in told), (True, False))
        # Other labels: all but the last layer. Another hop makes no difference, other bands do.
        spec = {**FRONTEND["spec"], "hop": 1536}
        ship(labels=["other", "loud"], frontend={**FRONTEND, "spec": spec})
        anew = self.go("anew", still, begin_with=package)
        ours, theirs = anew.model.state_dict(), first.averaged.model.state_dict()
        torch.testing.assert_close(ours["lstm.weight_hh_l0"], theirs["lstm.weight_hh_l0"])
        self.assertGreater(float((ours["dense.weight"] - theirs["dense.weight"]).abs().max()), 0.01)
        ship(frontend={**FRONTEND, "spec": {**spec, "mel_bands": 64}})
        with self.assertRaisesRegex(TrainError, "frontend.spec.mel_bands was 64 and is now 128"):
            self.go("other", still, begin_with=package)
        ship(result={**record["result"], "finished": False})
        with self.assertRaisesRegex(TrainError, "not finished"):
            self.go("other", still, begin_with=package)
        ship()
        with self.assertRaisesRegex(TrainError, "has an LSTM"):
            self.go("other", Config(**{**still.__dict__, "readout": "none"}), begin_with=package)
        # A run whose graph was exported into its own folder is still a run, and must know these recordings.
        (self.folder / "first" / "float.onnx").write_bytes((package / "float.onnx").read_bytes())
        told = {**record, "data": {**record["data"], "sha256": "others"}}
        (self.folder / "first" / "training.json").write_text(json.dumps(told))
        with self.assertRaisesRegex(TrainError, "data.sha256 was 'others'"):
            self.go("other", still, begin_with=self.folder / "first")

    def test_a_student_learns_to_tell_what_another_network_hears(self) -> None:
        changed = {"teachers": "statistics", "spacing": 40, "lesson_epochs": 1, "augmentation": "none", "epochs": 2}
        config = Config(**{**self.config.__dict__, **changed})
        self.with_a_hum()
        alone = self.go("alone", config)
        made = {"teachers_of": self.folder / "alone", "begin_with": self.folder / "alone" / "beginning"}
        self.heard = self.folder / "heard"
        part, rng = alone.train, np.random.default_rng(6)
        for index, count in enumerate(np.bincount(alone.grid[0])):
            folder = self.heard / GENRES[part.targets[index]]
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{part.tracks[index]}.npy", rng.normal(0, 1, (count, 200)).astype(np.float32))
        (self.heard / "heard.json").write_text(json.dumps({"spacing": 40, "frames": WINDOW_FRAMES}))
        whole = self.go("whole", config, **made)
        self.assertEqual(whole.lessons.shape, (len(alone.lessons), 2 + heard.COMPONENTS))
        torch.testing.assert_close(whole.lessons[:, :2].sum(1), torch.ones(len(alone.lessons)))
        self.assertGreater(float((whole.lessons[:, :2] - alone.lessons).abs().max()), 0.01)
        x, targets, taught = next(iter(whole.batches(np.random.default_rng(1))))
        self.assertEqual((len(x), targets.shape, taught.shape), (5, (5, 2), (5, 2 + heard.COMPONENTS)))
        self.assertTrue(taught[:4].isfinite().all() and taught[4, 2:].isnan().all())
        self.go("parts", config, stop_after=1, **made)
        parts = self.go("parts", config, **made)
        for mine, theirs in ((whole.model, parts.model), (whole.imitator, parts.imitator)):
            for one, other in zip(mine.parameters(), theirs.parameters()):
                self.assertTrue(torch.equal(one, other))
        record = json.loads((self.folder / "whole" / "training.json").read_text())
        self.assertEqual(len(record["data"]["heard"]), 64)
        model, _ = export.load_run(self.folder / "whole")
        self.assertEqual(parameter_count(model), parameter_count(alone.model), "the imitator is left behind")
        # Musicnn can be the only one that teaches.
        only = self.go("only", Config(**{**config.__dict__, "teachers": ""}), begin_with=made["begin_with"])
        self.assertEqual(only.lessons.shape, whole.lessons.shape)
        self.assertGreater(float((whole.lessons[:, :2] - only.lessons[:, :2]).abs().max()), 0.01)
        with self.assertRaisesRegex(TrainError, "--heard is for students, which have an LSTM"):
            self.go("other", Config(**{**config.__dict__, "readout": "none"}))

    def test_music_without_labels_is_learned_by_what_is_heard_in_it(self) -> None:
        forms, self.heard = self.with_unlabelled(), self.folder / "heard"
        changed = {"spacing": 40, "augmentation": "none", "epochs": 1, "batch": 8}
        config = Config(**{**self.config.__dict__, **changed})
        self.unlabelled = forms
        trainer = self.go("run", config)
        batches = list(trainer.batches(np.random.default_rng(1)))
        x, targets, taught = batches[0]
        self.assertEqual((len(x), targets.shape, taught.shape), (12, (12, 2), (12, 2 + heard.COMPONENTS)))
        torch.testing.assert_close(targets[8:], taught[8:, :2], msg="the teachers' opinion stands for a label")
        self.assertTrue(taught.isfinite().all())
        seen = {float(window.mean()) for x, _, _ in batches for window in x[-len(x) // 3 :]}
        self.assertEqual(seen, {5.0, 6.0}, "in both forms")
        record = json.loads((self.folder / "run" / "training.json").read_text())
        self.assertEqual([len(record["data"][name]) for name in ("unlabelled", "heard_unlabelled")], [64, 64])
        np.save(forms[1] / "music" / "1.npy", np.zeros((251, 128), np.int16))
        with self.assertRaisesRegex(data.DataError, "original: music/1 has 251 frames; in .*coded it has 250"):
            self.go("other", config)
        (forms[1] / "music" / "1.npy").unlink()
        with self.assertRaisesRegex(data.DataError, "only one has music/1"):
            self.go("other", config)
        self.heard = None
        with self.assertRaisesRegex(TrainError, "give --heard, too"):
            self.go("other", Config(**{**config.__dict__, "teachers": "statistics"}))

    def test_what_is_not_music_is_no_label_more_than_another(self) -> None:
        self.with_a_hum()
        trainer = self.go("run", Config(**{**self.config.__dict__, "augmentation": "none"}))
        x, targets, taught = next(iter(trainer.batches(np.random.default_rng(1))))
        self.assertEqual((len(x), len(targets), taught), (5, 5, None))
        torch.testing.assert_close(targets[-1], torch.full((2,), 0.5))
        self.assertEqual(float(x[-1].mean()), 7.0)
        record = json.loads((self.folder / "run" / "training.json").read_text())
        self.assertEqual(len(record["data"]["not_music"]), 64)
        (self.not_music / "frontend.json").write_text(json.dumps({**FRONTEND, "fingerprint": "other"}))
        with self.assertRaisesRegex(data.DataError, "fingerprint other; the music's is"):
            self.go("other")

    def test_most_windows_are_from_a_take_in_a_room(self) -> None:
        take = self.folder / "take"
        for path in self.features.glob("*/*.npy"):
            (take / path.parent.name).mkdir(parents=True, exist_ok=True)
            np.save(take / path.parent.name / path.name, np.full_like(np.load(path), 3 * 256))
        (take / "frontend.json").write_text(json.dumps(FRONTEND))
        self.rooms = [take]
        config = Config(**{**self.config.__dict__, "augmentation": "none", "windows_per_track": 12, "batch": 48})
        trainer = self.go("run", config)
        heard, _, _ = next(iter(trainer.batches(np.random.default_rng(1))))
        in_rooms = (heard == 3).flatten(1).all(1)
        self.assertTrue(0.4 < float(in_rooms.float().mean()) < 0.9)
        self.assertFalse(bool((heard[~in_rooms] == 3).flatten(1).all(1).any()))
        with self.assertRaisesRegex(TrainError, "rooms and windows stretched"):
            self.go("other", Config(**{**config.__dict__, "augmentation": "strong"}))
        for path in take.glob("*/*.npy"):
            np.save(path, np.zeros((170, 128), np.int16))
        with self.assertRaisesRegex(data.DataError, "170 frames; the recording has"):
            self.go("other", config)

    def test_a_shared_artist_is_a_warning(self) -> None:
        self.split.write_text(self.split.read_text().replace("artist calm 1", "artist calm 0"))
        self.go("run", Config(**{**self.config.__dict__, "epochs": 1}))
        self.assertIn("warning: artist calm 0 is in train and valid", self.printed.getvalue())

    def test_recipes_and_changes_of_them(self) -> None:
        arguments = ["--features", "f", "--run", "r", "--recipe", "paper", "--seed", "7"]
        config = train.parse(arguments)[1]
        self.assertEqual((config.rate, config.batch, config.augmentation, config.seed), (1e-3, 32, "none", 7))

    def test_the_rate_warms_up_and_falls(self) -> None:
        rates = [rate_at(self.config, progress) for progress in (0.0, 0.04, 0.5, 1.0)]
        self.assertLess(rates[0], 0.1 * rates[1])
        self.assertGreater(rates[1], rates[2])
        self.assertLess(rates[3], 0.02 * rates[1])


if __name__ == "__main__":
    unittest.main()
