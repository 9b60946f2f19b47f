"""Tests of window lengths, grids, splits by excerpts and the network without LSTM."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import torch

import data
import evaluate
import export
import train
from network import READOUTS, HarmonyNet, frames_for, parameter_count
from recipe import Config, TrainError
from test_train import GENRES, Scratch
from trainer import Parts, Trainer


class Hop(unittest.TestCase):
    def test_two_seconds_in_whole_steps_of_the_network(self) -> None:
        for hop, frames in ((512, 88), (1024, 40), (1536, 32)):
            spec = {"rate_hz": 22050, "hop": hop}
            self.assertEqual(data.Frontend("", spec).evaluation_hop, frames)


class Readout(unittest.TestCase):
    def test_without_lstm_the_logits_are_the_mean_over_the_steps(self) -> None:
        model = export.untrained(4, 10, "none", steps=5)
        x = torch.randn(3, frames_for(5), 128)
        with torch.no_grad():
            by_hand = model.features(x).mean(1) @ model.dense.weight.T + model.dense.bias
            torch.testing.assert_close(model(x), by_hand, rtol=1e-4, atol=1e-4)
        self.assertEqual(parameter_count(model), 113_386)

    def test_every_readout_and_length_is_exported_with_its_input(self) -> None:
        for readout in READOUTS:
            for steps in (5, 9):
                model = export.untrained(11, 10, readout, steps)
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "float.onnx"
                    self.assertLessEqual(export.export(model, list(export.GTZAN_LABELS), path), export.TOLERANCE)
                    graph = onnx.load(path).graph
                shape = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
                self.assertEqual(shape, [1, 8 * steps + 14, 128])
                self.assertEqual("lstm" in [node.name for node in graph.node], readout != "none")


class Grid(Scratch):
    config = Config(
        epochs=1, windows="grid", grid=40, steps=9, batch=4, precision="float32", augmentation="none", readout="last",
        teachers="",
    )  # fmt: skip

    def part(self, windows: data.Windows = data.Windows()) -> data.Part:
        return data.load_part(self.features, self.entries(), "train", list(GENRES), windows)

    def trainer(self, config: Config, part: data.Part) -> Trainer:
        return Trainer(config, Parts(part, part, None, {"hop": 512, "rate_hz": 22_050}), list(GENRES), self.folder, [])

    def test_the_grid_lies_on_multiples_of_its_hop_and_ends_with_the_track(self) -> None:
        part = self.part(data.Windows(frames_for(9), 88))
        tracks, starts = data.grid_windows(part, 40)
        self.assertEqual(list(starts[tracks == 0]), [0, 40, 80, 120, 160, 200])  # 300 frames, 86 of each window
        self.assertEqual(list(data.evaluation_windows(part)[1][:3]), [0, 88, 176])
        self.assertEqual(list(data.grid_windows(self.part(), 168)[1]), [0] * 4)

    def test_an_epoch_visits_every_window_of_the_grid_once(self) -> None:
        part = self.part(data.Windows(frames_for(9), 88))
        trainer = self.trainer(self.config, part)
        tracks, starts = data.grid_windows(part, 40)
        wanted = data.cut(part, tracks, starts, 86)
        seen = np.concatenate([x.numpy() for x, _, _ in trainer.batches(np.random.default_rng(3))])
        self.assertEqual(len(seen), len(wanted))
        self.assertEqual(trainer.steps, -(-len(wanted) // 4))
        self.assertFalse(np.array_equal(seen, wanted))
        self.assertEqual(sorted(map(bytes, seen)), sorted(map(bytes, wanted)))

    def test_stretched_windows_keep_the_length_of_the_network(self) -> None:
        config = Config(steps=5, augmentation="strong", batch=4)
        x, _, _ = next(self.trainer(config, self.part(data.Windows(54, 32))).batches(np.random.default_rng(1)))
        self.assertEqual(x.shape, (4, 54, 128))

    def test_a_trained_length_and_readout_come_back_from_the_run(self) -> None:
        config = Config(**{**self.config.__dict__, "readout": "none"})
        train.train(config, train.Source(self.features, self.split, "part"), self.folder / "run")
        model, _ = export.load_run(self.folder / "run")
        self.assertEqual((model.steps, model.readout), (9, "none"))
        record = evaluate.evaluate(self.folder / "run", self.features, self.split, "part", "valid")
        self.assertEqual(record["excerpts"], 12)  # three of 86 frames, every 88, in each of four tracks
        written = json.loads((self.folder / "run" / "training.json").read_text())
        self.assertEqual(written["parameters"], parameter_count(HarmonyNet(2, "none")))
        self.assertEqual(written["augmentation"]["window"], 86)

    def test_the_papers_recipe_is_a_grid_without_augmentation(self) -> None:
        config = train.parse(["--features", "f", "--run", "r", "--recipe", "paper", "--grid", "168"])[1]
        self.assertEqual((config.windows, config.grid, config.readout, config.steps), ("grid", 168, "last", 19))


class Excerpts(Scratch):
    def setUp(self) -> None:
        super().setUp()
        rows = ["track,genre,part,excerpt"]
        for genre in GENRES:
            for index in range(6):
                parts = ("train", "valid") if index % 2 else ("test", "train")
                rows += [f"{genre}.{index},{genre},{part},{excerpt}" for excerpt, part in enumerate(parts)]
        self.split.write_text("\n".join(rows) + "\n")

    def part(self, name: str) -> data.Part:
        return data.load_part(self.features, self.entries(), name, list(GENRES))

    def test_every_excerpt_is_in_its_part_and_no_other(self) -> None:
        seen = set()
        for name in data.PARTS:
            part = self.part(name)
            tracks, starts = data.evaluation_windows(part)
            cut = {(part.tracks[track], int(start)) for track, start in zip(tracks, starts)}
            self.assertFalse(seen & cut)
            seen |= cut
        self.assertEqual(len(seen), 24)
        self.assertEqual(list(data.evaluation_windows(self.part("valid"))[1]), [88] * 6)

    def test_wrong_excerpts_grids_and_positions_are_refused(self) -> None:
        with self.assertRaisesRegex(data.DataError, "every 88 frames; the grid has 40"):
            data.grid_windows(self.part("train"), 40)
        with self.assertRaisesRegex(TrainError, "use --windows grid"):
            train.train(Config(epochs=1), train.Source(self.features, self.split, "part"), self.folder / "run")
        text = self.split.read_text()
        for wrong, message in (("9", r"\[9\]; it has 0 to 1"), ("x", "the excerpt 'x'")):
            self.split.write_text(text.replace("calm.1,calm,train,0", f"calm.1,calm,train,{wrong}"))
            with self.assertRaisesRegex(data.DataError, message):
                self.part("train")

    def test_hash_and_counts_know_excerpts(self) -> None:
        entries = self.entries()
        moved = [data.Entry(e.track, e.genre, e.part, e.artist, 1 - e.excerpt) for e in entries]
        self.assertNotEqual(data.data_hash(entries), data.data_hash(moved))
        config = Config(epochs=1, windows="grid", batch=4, precision="float32", teachers="")
        train.train(config, train.Source(self.features, self.split, "part"), self.folder / "run")
        described = json.loads((self.folder / "run" / "training.json").read_text())["data"]
        self.assertEqual(described["tracks"], {"train": 12, "valid": 6, "test": 6})
        self.assertEqual(described["excerpts"], {"train": 12, "valid": 6, "test": 6})


if __name__ == "__main__":
    unittest.main()
