"""Tests of the network that learns to tell what is heard in music without labels, on made-up features."""

from __future__ import annotations

import json
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import data
import heard
import listen
import train
from recipe import Config, TrainError
from test_train import GENRES, Scratch
from trainer import Trainer


class Listening(Scratch):
    config = replace(
        listen.LISTENER, spacing=40, epochs=2, batch=4, precision="float32", augmentation="none", dropout=0.0, average=0.5,
        rate=3e-3,
    )  # fmt: skip

    def go(self, name: str, config: Config | None = None, **arguments: int) -> listen.Listener:
        return listen.listen(config or self.config, list(self.forms), self.folder / "heard", self.folder / name, **arguments)

    def setUp(self) -> None:
        super().setUp()
        self.forms = self.with_unlabelled(21)

    def test_it_learns_to_tell_what_is_heard(self) -> None:
        # Half of the recordings are high and half are low, and sound so.
        for number in range(21):
            tilt = (1 if number % 2 else -1) * np.linspace(-2, 2, 128)
            for folder in self.forms:
                noise = np.random.default_rng(number).normal(0, 0.5, (250, 128))
                np.save(folder / "music" / f"{number}.npy", ((tilt + noise) * 256).astype(np.int16))
            path = self.folder / "heard" / "music" / f"{number}.npy"
            np.save(path, np.load(path) * 0.1 + (1 if number % 2 else -1) * np.ones(200, np.float32))
        trainer = self.go("run", replace(self.config, epochs=8))
        self.assertEqual((len(trainer.train.tracks), len(trainer.valid.tracks)), (19, 2))
        self.assertGreater(trainer.best["told"], 0.4)
        x, targets, taught = next(iter(trainer.batches(np.random.default_rng(1))))
        self.assertEqual((tuple(targets.shape), tuple(taught.shape)), ((4, 1), (4, 1 + heard.COMPONENTS)))
        self.assertTrue(bool((targets == 1).all()), "the only label is always true")
        record = json.loads((self.folder / "run" / "training.json").read_text())
        self.assertEqual(record["data"]["tracks"], {"train": 19, "valid": 2, "test": 0})
        self.assertEqual(record["result"]["validation"]["told"], trainer.best["told"])
        self.assertTrue(record["result"]["finished"])

    def test_a_resumed_run_ends_like_an_uninterrupted_one(self) -> None:
        whole = self.go("whole")
        self.go("parts", stop_after=1)
        parts = self.go("parts")
        for mine, theirs in zip(whole.averaged.model.parameters(), parts.averaged.model.parameters()):
            self.assertTrue(torch.equal(mine, theirs))

    def test_a_student_of_any_labels_begins_as_it(self) -> None:
        listener = self.go("listener", stop_after=2)
        config = Config(epochs=1, spacing=40, batch=4, precision="float32", teachers="", augmentation="none")
        source = train.Source(
            self.features, self.split, "part", heard=self.folder / "heard", begin_with=self.folder / "listener",
            unlabelled=self.forms,
        )  # fmt: skip
        begun: list[torch.Tensor] = []
        begin_as = Trainer.begin_as

        def spy(trainer: Trainer, network: torch.nn.Module) -> None:
            begin_as(trainer, network)
            begun.extend(parameter.clone() for parameter in trainer.model.parameters())

        Trainer.begin_as = spy
        self.addCleanup(setattr, Trainer, "begin_as", begin_as)
        trainer = train.train(config, source, self.folder / "student")
        self.assertEqual(trainer.labels, list(GENRES))
        theirs = list(listener.averaged.model.parameters())
        for mine, their in zip(begun[:-2], theirs[:-2]):
            self.assertTrue(torch.equal(mine, their))
        self.assertEqual((tuple(begun[-2].shape), tuple(theirs[-2].shape)), ((2, 64), (1, 64)))
        # A network that isn't finished is nothing to begin as.
        self.go("half", stop_after=1)
        with self.assertRaisesRegex(TrainError, "half: not finished"):
            train.train(config, replace(source, begin_with=self.folder / "half"), self.folder / "other")

    def test_what_it_should_have_heard_must_be_there(self) -> None:
        (self.folder / "heard" / "music" / "3.npy").unlink()
        with self.assertRaisesRegex(data.DataError, "3.npy is missing: go on with musicnn.py"):
            self.go("run")

    def test_the_command_line_changes_the_recipe(self) -> None:
        _, config = listen.parse(["--unlabelled", "a", "b", "--heard", "h", "--run", "r", "--epochs", "3"])
        self.assertEqual(config, replace(listen.LISTENER, epochs=3))
        self.assertEqual(listen.parse(["--unlabelled", "a", "--heard", "h", "--run", "r"])[0].unlabelled, [Path("a")])


if __name__ == "__main__":
    unittest.main()
