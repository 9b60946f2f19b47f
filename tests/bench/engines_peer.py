"""ONNX Runtime's and LiteRT's side of `make bench`: the shipped network, from its float graph, in each one's best forms.

Called with the float graph, the windows (f32), their number, and a folder for what is converted. Each line on standard
input is an engine's form and a number of times, or `logits` and a form; the answer is one line.
"""

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import onnx
import onnxruntime as ort
from ai_edge_litert import interpreter as litert
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process
from onnxruntime.quantization import quantize_dynamic, quantize_static

FRAMES, BANDS, STEPS, UNITS = 166, 128, 19, 64
# Windows that are timed: the first ones.
TIMED = 4
# Rounds by which the fastest of several forms is chosen.
TRIAL_ROUNDS = 15

# One window → logits.
Session = Callable[[np.ndarray], np.ndarray]


def onnx_session(path: Path) -> Session:
    """ONNX Runtime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda window: session.run(None, {"log_mel": window})[0][0]


class Windows(CalibrationDataReader):
    """The windows as ONNX Runtime's calibration reads them."""

    def __init__(self, windows: np.ndarray) -> None:
        self.rest = iter(windows)

    def get_next(self):
        window = next(self.rest, None)
        return None if window is None else {"log_mel": window}


def onnx_int8(float_graph: Path, windows: np.ndarray, folder: Path) -> dict[str, Path]:
    """Static QDQ per channel with signed and unsigned activations, the LSTM in floating point or dynamically quantized."""
    prepared = folder / "prepared.onnx"
    quant_pre_process(str(float_graph), str(prepared), skip_symbolic_shape=True)
    forms = {}
    for name, activations in {"S8S8": QuantType.QInt8, "U8S8": QuantType.QUInt8}.items():
        path = folder / f"ort-{name}.onnx"
        quantize_static(
            str(prepared), str(path), Windows(windows), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=activations, weight_type=QuantType.QInt8,
        )
        forms[f"QDQ {name}, LSTM f32"] = path
        dynamic = folder / f"ort-{name}-lstm.onnx"
        quantize_dynamic(str(path), str(dynamic), op_types_to_quantize=["LSTM"], per_channel=True,
                         weight_type=QuantType.QInt8)
        forms[f"QDQ {name}, LSTM dynamic int8"] = dynamic
    return forms


def folded(float_graph: Path) -> tuple[list[tuple[np.ndarray, np.ndarray]], dict[str, np.ndarray]]:
    """Convolutions with their batch norms folded in, and the other constants."""
    graph = onnx.load(str(float_graph)).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    epsilon = {node.name: attribute.f for node in graph.node for attribute in node.attribute
               if attribute.name == "epsilon"}
    convs = []
    for number in (1, 2, 3):
        norm = [constants[f"norm{number}_{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        gain = norm[0] / np.sqrt(norm[3] + epsilon.get(f"norm{number}", 1e-5))
        weight = constants[f"conv{number}_weight"] * gain[:, None, None, None]
        bias = constants.get(f"conv{number}_bias", 0.0)
        convs.append((weight.transpose(2, 3, 1, 0), (bias - norm[2]) * gain + norm[1]))
    return convs, constants


def litert_models(float_graph: Path, windows: np.ndarray, folder: Path) -> dict[str, Path]:
    """The network as TensorFlow Lite models, float and int8.

    The LSTM is written out step by step: that is what XNNPACK runs, and so it is faster than the fused operator, which it
    does not run and whose state would have to be reset before every window.
    """
    import tensorflow as tf

    convs, constants = folded(float_graph)
    weights, recurrence, bias = (constants[f"lstm_{part}"][0] for part in ("weight", "recurrence", "bias"))
    bias = bias[: 4 * UNITS] + bias[4 * UNITS:]
    # Features from [channel][band] to [band][channel].
    weights = weights.reshape(4 * UNITS, -1, BANDS // 8).transpose(2, 1, 0).reshape(-1, 4 * UNITS)
    recurrence, dense, dense_bias = recurrence.T, constants["dense_weight"].T, constants["dense_bias"]

    def network(x):
        x = tf.reshape(x, (1, FRAMES, BANDS, 1))
        for weight, conv_bias in convs:
            x = tf.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
            x = tf.nn.relu(tf.nn.conv2d(x, weight, 1, "VALID") + conv_bias)
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        projected = tf.reshape(x, (STEPS, -1)) @ weights + bias
        h = c = None
        outputs = []
        for step in range(STEPS):
            sums = projected[step:step + 1]
            if h is not None:
                sums += h @ recurrence
            # ONNX's order of the gates.
            i, o, f, g = tf.split(sums, 4, axis=1)
            new = tf.sigmoid(i) * tf.tanh(g)
            c = new if c is None else tf.sigmoid(f) * c + new
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.reduce_mean(tf.concat(outputs, axis=0), axis=0, keepdims=True) @ dense + dense_bias

    spec = tf.TensorSpec((1, FRAMES, BANDS), tf.float32, name="log_mel")
    function = tf.function(network, input_signature=[spec]).get_concrete_function()
    paths = {}
    for form in ("f32", "int8"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        if form == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([window] for window in windows)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        paths[form] = folder / f"litert-{form}.tflite"
        paths[form].write_bytes(converter.convert())
    return paths


def litert_session(path: Path) -> Session:
    """LiteRT with XNNPACK."""
    engine = litert.Interpreter(model_path=str(path), num_threads=1)
    engine.allocate_tensors()
    (given,), (found,) = engine.get_input_details(), engine.get_output_details()

    def run(window: np.ndarray) -> np.ndarray:
        engine.set_tensor(given["index"], window)
        engine.invoke()
        return engine.get_tensor(found["index"])[0]

    return run


def seconds(run: Session, windows: np.ndarray, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        for window in windows:
            run(window)
    return time.perf_counter() - start


def fastest(forms: dict[str, Path], windows: np.ndarray) -> tuple[str, Session]:
    """The form that takes ONNX Runtime least, timed in turn."""
    sessions = {name: onnx_session(path) for name, path in forms.items()}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(TRIAL_ROUNDS):
        for name, run in sessions.items():
            times[name].append(seconds(run, windows, 1))
    best = min(times, key=lambda name: np.median(times[name]))
    return best, sessions[best]


def main() -> None:
    float_graph, folder = Path(sys.argv[1]), Path(sys.argv[4])
    windows = np.fromfile(sys.argv[2], dtype="<f4").reshape(int(sys.argv[3]), 1, FRAMES, BANDS)
    timed = windows[:TIMED]
    folder.mkdir(parents=True, exist_ok=True)
    lite = litert_models(float_graph, windows, folder)
    int8, ort_int8 = fastest(onnx_int8(float_graph, windows, folder), timed)
    forms = {
        "ort-f32": onnx_session(float_graph),
        "ort-int8": ort_int8,
        "litert-f32": litert_session(lite["f32"]),
        "litert-int8": litert_session(lite["int8"]),
    }
    print(f"ready ONNX Runtime {ort.__version__} ({int8}), LiteRT {version('ai-edge-litert')}, one thread each", flush=True)
    for line in sys.stdin:
        form, times = line.split()
        if form == "logits":
            print(*np.concatenate([forms[times](window) for window in windows]).tolist(), flush=True)
        else:
            print(seconds(forms[form], timed, int(times)), flush=True)


main()
