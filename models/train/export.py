"""Writes a trained network as a float ONNX graph that states the contract.

    input  log_mel [1, 8·steps + 14, 128] float32, octaves (the front-end's i16 / 256); 166 frames for 19 steps
    output logits  [1, labels]   float32

The graph is built node by node (conv1, norm1, relu1, pool1, … lstm, mean or last, dense; without LSTM dense, mean),
so that names and operators are the same on every version of PyTorch; the quantizer and the runtime find their nodes
by these names. After writing, the file is run by ONNX Runtime beside PyTorch, and a difference beyond 1e-4 is an
error: no file is left behind.

    python models/train/export.py --run runs/main --out float.onnx
    python models/train/export.py --untrained 7 --out float.onnx    # random weights, for tests
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from network import LSTM_INPUTS, LSTM_UNITS, MEL_BANDS, READOUTS, WINDOW_STEPS, HarmonyNet, frames_for

OPSET = 17
TOLERANCE = 1e-4
GTZAN_LABELS = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip


class ExportError(Exception):
    """The network cannot be exported, or the written graph computes something else."""


def onnx_gates(tensor: np.ndarray) -> np.ndarray:
    """Reorders the gates of an LSTM tensor along its first axis: PyTorch's i, f, g, o → ONNX's i, o, f, c."""
    i, f, g, o = np.split(tensor, 4)
    return np.concatenate([i, o, f, g])


def torch_gates(tensor: np.ndarray) -> np.ndarray:
    """The other way round."""
    i, o, f, c = np.split(tensor, 4)
    return np.concatenate([i, f, c, o])


def build_graph(model: HarmonyNet, labels: list[str]) -> onnx.ModelProto:
    """The graph of `model`'s weights as they are; dropout and its scaling don't appear at inference."""
    if model.normalize != "none":
        raise ExportError("a network with per-excerpt normalization cannot stream and is not exported")
    frames = frames_for(model.steps)
    state = {name: value.detach().cpu().float().numpy() for name, value in model.state_dict().items()}
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []

    def tensor(name: str, value: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(op: str, name: str, inputs: list[str], output: str | None = None, **attributes: object) -> str:
        out = output or f"{name}_out"
        nodes.append(helper.make_node(op, inputs, [out], name=name, **attributes))
        return out

    shape = tensor("image_shape", np.array([1, 1, frames, MEL_BANDS], np.int64))
    x = node("Reshape", "image", ["log_mel", shape])
    for index, block in enumerate(model.blocks):
        n, key = index + 1, f"blocks.{index}"
        weight = tensor(f"conv{n}_weight", state[f"{key}.conv.weight"])
        # Padding order: time begin, frequency begin, time end, frequency end.
        x = node("Conv", f"conv{n}", [x, weight], kernel_shape=[3, 3], strides=[1, 1], pads=[0, 1, 0, 1])
        names = ("weight", "bias", "running_mean", "running_var")
        norm = [tensor(f"norm{n}_{name}", state[f"{key}.norm.{name}"]) for name in names]
        x = node("BatchNormalization", f"norm{n}", [x, *norm], epsilon=block.norm.eps)
        x = node("Relu", f"relu{n}", [x])
        x = node("MaxPool", f"pool{n}", [x], kernel_shape=[2, 2], strides=[2, 2])
    # [1, C, steps, F] → [steps, 1, C, F] → [steps, 1, C·F]: the LSTM wants time first.
    x = node("Transpose", "steps_first", [x], perm=[2, 0, 1, 3])
    shape = [model.steps, LSTM_INPUTS] if model.lstm is None else [model.steps, 1, LSTM_INPUTS]
    x = node("Reshape", "steps", [x, tensor("steps_shape", np.array(shape, np.int64))])
    dense = [tensor("dense_weight", state["dense.weight"]), tensor("dense_bias", state["dense.bias"])]
    if model.lstm is None:  # [steps, C·F] → [steps, labels] → [1, labels]
        x = node("Gemm", "dense", [x, *dense], transB=1)
        node("ReduceMean", "mean", [x], output="logits", axes=[0], keepdims=1)
    else:
        lstm = [
            tensor("lstm_weight", onnx_gates(state["lstm.weight_ih_l0"])[None]),
            tensor("lstm_recurrence", onnx_gates(state["lstm.weight_hh_l0"])[None]),
            tensor(
                "lstm_bias",
                np.concatenate([onnx_gates(state["lstm.bias_ih_l0"]), onnx_gates(state["lstm.bias_hh_l0"])])[None],
            ),
        ]
        outputs = ["lstm_out"] if model.readout == "mean" else ["", "lstm_last"]
        nodes.append(helper.make_node("LSTM", [x, *lstm], outputs, name="lstm", hidden_size=LSTM_UNITS))
        if model.readout == "mean":  # [steps, 1, 1, 64] → [1, 64]
            x = node("ReduceMean", "mean", ["lstm_out"], axes=[0, 1], keepdims=0)
        else:  # [1, 1, 64] → [1, 64]
            x = node("Reshape", "last", ["lstm_last", tensor("last_shape", np.array([1, LSTM_UNITS], np.int64))])
        node("Gemm", "dense", [x, *dense], output="logits", transB=1)

    graph = helper.make_graph(
        nodes,
        "harmonynet",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, [1, frames, MEL_BANDS])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(labels)])],
        tensors,
    )
    result = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="harmonynet"
    )
    helper.set_model_props(result, {"labels": json.dumps(labels)})
    onnx.checker.check_model(result, full_check=True)
    return result


def difference(graph: bytes, model: HarmonyNet, windows: int = 16) -> float:
    """Largest |Δlogit| between ONNX Runtime and PyTorch over noise windows that fill the front-end's range."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(166)
    shape = (1, frames_for(model.steps), MEL_BANDS)
    worst = 0.0
    model.eval()
    with torch.no_grad():
        for _ in range(windows):
            level, spread = noise.uniform(-4, 4), noise.uniform(0.5, 4)
            octaves = np.clip(noise.normal(level, spread, shape), -15.875, 15.875)
            octaves = (np.round(octaves * 256) / 256).astype(np.float32)
            theirs = session.run(["logits"], {"log_mel": octaves})[0]
            ours = model(torch.from_numpy(octaves)).numpy()
            worst = max(worst, float(np.abs(theirs - ours).max()))
    return worst


def export(model: HarmonyNet, labels: list[str], out: Path) -> float:
    """Writes the graph to `out`; returns the largest difference to PyTorch, which is at most `TOLERANCE`."""
    graph = build_graph(model, labels).SerializeToString()
    worst = difference(graph, model)
    if not worst <= TOLERANCE:
        raise ExportError(f"ONNX Runtime and PyTorch differ by {worst:.2e}; allowed: {TOLERANCE:.0e}")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(graph)
    partial.replace(out)
    return worst


def read_graph(path: Path, dropout: float) -> HarmonyNet:
    """The network that a graph was written of, to go on training; only the number of batches that its norms saw is not
    in there. Its windows may become longer or shorter."""
    try:
        graph = onnx.load(str(path)).graph
        held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        names = [node.name for node in graph.node]
        readout = next((name for name in ("mean", "last") if "lstm" in names and name in names), "none")
        model = HarmonyNet(len(held["dense_bias"]), readout, dropout)
        state = {"dense.weight": held["dense_weight"], "dense.bias": held["dense_bias"]}
        for n in range(1, len(model.blocks) + 1):
            state[f"blocks.{n - 1}.conv.weight"] = held[f"conv{n}_weight"]
            for name in ("weight", "bias", "running_mean", "running_var"):
                state[f"blocks.{n - 1}.norm.{name}"] = held[f"norm{n}_{name}"]
            state[f"blocks.{n - 1}.norm.num_batches_tracked"] = np.array(1)
        if model.lstm is not None:
            state["lstm.weight_ih_l0"] = torch_gates(held["lstm_weight"][0])
            state["lstm.weight_hh_l0"] = torch_gates(held["lstm_recurrence"][0])
            for name, bias in zip(("ih", "hh"), np.split(held["lstm_bias"][0], 2)):
                state[f"lstm.bias_{name}_l0"] = torch_gates(bias)
        model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    except (OSError, KeyError, ValueError, RuntimeError, DecodeError) as error:
        raise ExportError(f"{path} is no graph that was written here: {error}") from None
    return model.eval()


def untrained(seed: int, labels: int, readout: str, steps: int = WINDOW_STEPS) -> HarmonyNet:
    """Random weights with batch-norm statistics that are not trivial: learnt from noise, scales and offsets random."""
    torch.manual_seed(seed)
    model = HarmonyNet(labels, readout, dropout=0.0, steps=steps).train()
    with torch.no_grad():
        for block in model.blocks:
            block.norm.weight.uniform_(0.6, 1.4)
            block.norm.bias.uniform_(-0.3, 0.3)
        for _ in range(24):
            tilt = torch.linspace(2, -2, MEL_BANDS) * torch.rand(1)
            model.features(torch.randn(4, frames_for(steps), MEL_BANDS) * 2 + tilt)
        # The default initialization gives nearly equal logits; labels should be told apart in tests.
        model.dense.weight.mul_(8)
    return model.eval()


def load_run(run: Path) -> tuple[HarmonyNet, list[str]]:
    """The best network of a run folder and its labels."""
    path = run / "best.pt"
    if not path.is_file():
        raise ExportError(f"{path} is missing: has this run finished an epoch?")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved.get("network", "harmonynet") != "harmonynet":
        raise ExportError(f"{run} is a teacher ({saved['network']}); only harmonynet is exported")
    steps = saved.get("steps", WINDOW_STEPS)  # older runs know one length only
    model = HarmonyNet(len(saved["labels"]), saved["readout"], normalize=saved["normalize"], steps=steps)
    model.load_state_dict(saved["model"])
    return model.eval(), saved["labels"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write a run's best network as a float ONNX graph and check it against PyTorch.",
        epilog="example: python models/train/export.py --run runs/main --out target/float.onnx",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", type=Path, metavar="DIR", help="run folder written by train.py")
    source.add_argument("--untrained", type=int, metavar="SEED", help="random weights instead, ten labels")
    parser.add_argument("--readout", choices=READOUTS, default="mean", help="for --untrained (default: mean)")
    parser.add_argument(
        "--steps", type=int, default=WINDOW_STEPS, metavar="N", help="for --untrained (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the ONNX file to write")
    args = parser.parse_args()
    try:
        if args.run is not None:
            model, labels = load_run(args.run)
        else:
            labels = list(GTZAN_LABELS)
            model = untrained(args.untrained, len(labels), args.readout, args.steps)
        worst = export(model, labels, args.out)
    except ExportError as error:
        sys.exit(f"export: {error}")
    print(f"{args.out}: {args.out.stat().st_size} bytes, largest difference to PyTorch {worst:.1e}")


if __name__ == "__main__":
    main()
