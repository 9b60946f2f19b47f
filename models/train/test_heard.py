"""What musicnn hears, as far as it can be known without its weights; and what a student is given of it."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import data
import heard
import musicnn
from network import WINDOW_FRAMES

# By itself: TensorFlow and PyTorch bring an LLVM each, which can't both be used in one program.
WEIGHTS = os.environ.get("MUSICNN_WEIGHTS")


def weights(seed: int) -> dict[str, np.ndarray]:
    """Random ones, of the shapes of MTT_musicnn."""
    rng = np.random.default_rng(seed)
    kernels = [(7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51), (7, 561, 1, 64)]
    kernels += [(7, 64, 1, 64)] * 2
    made = {}
    for number, shape in enumerate(kernels):
        layer = f"conv2d_{number}" if number else "conv2d"
        made |= {f"{layer}/kernel": rng.normal(0, 0.1, shape), f"{layer}/bias": rng.normal(0, 0.1, shape[3])}
    for number, size in enumerate((1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)):
        layer = f"batch_normalization_{number}" if number else "batch_normalization"
        for what in ("beta", "gamma", "moving_mean", "moving_variance"):
            made[f"{layer}/{what}"] = rng.uniform(0.5, 1.5, size)
    made |= {"dense/kernel": rng.normal(0, 0.1, (1506, 200)), "dense/bias": rng.normal(0, 0.1, 200)}
    return {name: value.astype(np.float32) for name, value in made.items()}


class Hearing(unittest.TestCase):
    def test_a_layer_is_convolution_then_rectifier_then_norm(self) -> None:
        model, made = musicnn.Musicnn(weights(1)), weights(1)
        x = torch.randn(1, 1, 20, 96)
        kernel = torch.from_numpy(made["conv2d_1/kernel"]).permute(3, 2, 0, 1)
        plain = F.conv2d(x, kernel, torch.from_numpy(made["conv2d_1/bias"])).clamp(min=0)[0, 5]
        mean, variance, gamma, beta = (
            float(made[f"batch_normalization_2/{name}"][5]) for name in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        expected = (plain - mean) / (variance + 1e-3) ** 0.5 * gamma + beta
        torch.testing.assert_close(model._convolve(x, 1)[0, 5], expected, rtol=1e-4, atol=1e-4)

    def test_embeddings_are_of_their_windows_alone(self) -> None:
        model = musicnn.Musicnn(weights(2))
        sound = torch.rand(600, 96)
        found = model.embeddings(sound, [0, 300], 241)
        self.assertEqual(tuple(found.shape), (2, 200))
        # 128 frames of the widest convolution and those of the three behind it reach across a window's end, no farther.
        louder = sound.clone()
        louder[450:] += 1.0
        again = model.embeddings(louder, [0, 300], 241)
        torch.testing.assert_close(again[0], found[0])
        self.assertGreater(float((again[1] - found[1]).abs().max()), 1e-3)
        # Maxima come before means, feature by feature.
        features = model.features(sound)
        pooled = torch.stack([features[:, :241].amax(1), features[:, :241].mean(1)], 1).flatten()
        self.assertEqual(tuple(pooled.shape), (1506,))
        dense = model._norm(pooled[None], 9) @ model.weights["dense/kernel"] + model.weights["dense/bias"]
        torch.testing.assert_close(model._norm(torch.relu(dense), 10)[0], found[0], rtol=1e-4, atol=1e-4)

    @unittest.skipUnless(WEIGHTS, "MUSICNN_WEIGHTS names no folder of musicnn's weights")
    def test_the_published_graph_computes_the_same(self) -> None:
        import tensorflow
        from tensorflow.core.protobuf import meta_graph_pb2

        folder, tf = Path(WEIGHTS), tensorflow.compat.v1
        published = meta_graph_pb2.MetaGraphDef.FromString((folder / ".meta").read_bytes()).graph_def
        for node in published.node:
            node.attr.pop("_output_shapes", None)  # today's TensorFlow disagrees about some that are for training
        last = next(node for node in published.node if node.op == "MatMul" and "dense_1/" in node.name)
        part = tf.graph_util.extract_sub_graph(published, [last.name])
        made, _ = musicnn.read_weights(folder)
        x = np.random.default_rng(7).uniform(0, 4, (2, 187, 96)).astype(np.float32)
        fed = {f"{node.name}:0": made[node.name] for node in part.node if node.op.startswith("Variable")}
        for node in part.node:
            if node.op == "Placeholder":
                fed[f"{node.name}:0"] = False if node.attr["dtype"].type == tensorflow.bool.as_datatype_enum else x
        with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
            tf.import_graph_def(part, name="")
            expected = session.run(f"{last.input[0]}:0", fed)
        model = musicnn.Musicnn(made)
        found = torch.cat([model.embeddings(torch.from_numpy(one), [0], 187) for one in x])
        torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-4, atol=1e-4)

    def test_weights_that_are_not_there_are_named_with_the_mend(self) -> None:
        with self.assertRaisesRegex(musicnn.MusicnnError, "holds no checkpoint: requirements-musicnn.txt says"):
            musicnn.read_weights(Path("nowhere"))


class Lessons(unittest.TestCase):
    def test_components_hold_what_varies_most(self) -> None:
        torch.manual_seed(3)
        wide = torch.randn(500, 2) * torch.tensor([5.0, 3.0])
        mixed = torch.cat([wide, 0.01 * torch.randn(500, 198)], 1) @ torch.linalg.qr(torch.randn(200, 200))[0]
        scale = heard.Scale.of(mixed + 7)
        found = scale.components(mixed + 7)
        self.assertEqual(tuple(found.shape), (500, heard.COMPONENTS))
        self.assertAlmostEqual(float(found.square().mean()), 1.0, places=4)
        shares = found.square().mean(0) / found.square().sum(1).mean()
        self.assertGreater(float(shares[:2].sum()), 0.99)
        self.assertGreater(float(shares[0]), float(shares[1]))
        # Other windows are told in the same terms, few or many.
        torch.testing.assert_close(scale.components(mixed[:3] + 7), found[:3])

    def test_opinions_tell_what_the_embeddings_hold(self) -> None:
        torch.manual_seed(4)
        targets = torch.arange(300) % 3
        embeddings = torch.randn(300, 20)
        embeddings[torch.arange(300), targets] += 6.0
        readout = heard.Readout(embeddings[:200], targets[:200], 3)
        found = readout.opinions(embeddings[200:])
        torch.testing.assert_close(found.sum(1), torch.ones(100))
        self.assertGreater(float((found.argmax(1) == targets[200:]).float().mean()), 0.99)
        embeddings = torch.randn(300, 20)
        blind = heard.Readout(embeddings, targets, 3).opinions(embeddings)
        self.assertLess(float(blind.max()), 0.8, "what isn't there is not claimed")

    def test_embeddings_of_other_windows_are_refused(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            features = [np.zeros((400, 128), np.int16)]
            part = data.Part(features, np.array([0]), ["one"], data.Windows(WINDOW_FRAMES, 88))
            made = {"spacing": 22, "frames": WINDOW_FRAMES, "weights": "0"}
            with self.assertRaisesRegex(data.DataError, "heard.json is missing: musicnn.py writes it"):
                heard.load(folder, part, ["hum/one"], 22)
            (folder / "heard.json").write_text(json.dumps(made))
            told = f"windows of {WINDOW_FRAMES} frames every 22, wanted {WINDOW_FRAMES} every 33"
            with self.assertRaisesRegex(data.DataError, told):
                heard.load(folder, part, ["hum/one"], 33)
            with self.assertRaisesRegex(data.DataError, "one.npy is missing: go on"):
                heard.load(folder, part, ["hum/one"], 22)
            (folder / "hum").mkdir()
            windows = (400 - WINDOW_FRAMES) // 22 + 1
            rng = np.random.default_rng(5)
            np.save(folder / "hum" / "one.npy", rng.normal(3.0, 2.0, (windows, 200)).astype(np.float32))
            found, digest = heard.load(folder, part, ["hum/one"], 22)
            self.assertEqual((tuple(found.shape), len(digest)), ((windows, 200), 64))
            np.testing.assert_array_equal(found, np.load(folder / "hum" / "one.npy"))
            # A coarser grid, and a part that has some excerpts of a track, take those of their windows.
            whole = np.load(folder / "hum" / "one.npy")
            for excerpts, wanted in ((None, [0, 4, 8]), ([np.array([1, 2])], [4, 8])):
                some = data.Part(features, np.array([0]), ["one"], data.Windows(WINDOW_FRAMES, 88), excerpts)
                found, _ = heard.load(folder, some, ["hum/one"], 88)
                np.testing.assert_array_equal(found, whole[wanted])
            for wrong, why in ((np.zeros((windows - 1, 200)), "length"), (np.full((windows, 200), np.nan), "a number")):
                np.save(folder / "hum" / "one.npy", wrong.astype(np.float32))
                with self.assertRaisesRegex(data.DataError, why):
                    heard.load(folder, part, ["hum/one"], 22)


if __name__ == "__main__":
    unittest.main()
