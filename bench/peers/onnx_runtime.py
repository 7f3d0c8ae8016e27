# /// script
# dependencies = ["onnxruntime==1.31.1", "onnx==1.23.2", "numpy==2.4.6"]
# ///
"""ONNX Runtime's LSTM and GRU operators: every graph optimisation, time first (its only layout).

The GRU has linear_before_reset=1, which is torch.nn's. A plain run is timed beside one with bound memory.
"""

import numpy as np
import onnx
import onnxruntime
import protocol
from onnx import TensorProto, helper, numpy_helper

ORDER = {"LSTM": "iofg", "GRU": "zrn"}


def main() -> None:
    given = protocol.problem()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = given.threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(model(given), options, ["CPUExecutionProvider"])
    x = np.ascontiguousarray(given.x.swapaxes(0, 1))  # (T, B, I)
    y = np.empty((*x.shape[:2], given.hidden_size), np.float32)
    bound = session.io_binding()
    bound.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x))
    bound.bind_output("y", "cpu", 0, np.float32, (len(x), 1, *y.shape[1:]), y.ctypes.data)
    ways = {"run": lambda: session.run(None, {"x": x}), "bound": lambda: session.run_with_iobinding(bound)}
    for step in ways.values():
        step()
    protocol.answer(given, onnxruntime.__version__, ways, {"y": y.swapaxes(0, 1)})


def model(given: protocol.Problem) -> bytes:
    """A graph of one operator that holds the weights."""
    order = ORDER[given.cell]
    weights = {
        "W": given.gates(given.w_ih, order),
        "R": given.gates(given.w_hh, order),
        "bias": np.concatenate([given.gates(given.b_ih, order), given.gates(given.b_hh, order)]),
    }
    extra = {"linear_before_reset": 1} if given.cell == "GRU" else {}
    node = helper.make_node(given.cell, ["x", *weights], ["y"], hidden_size=given.hidden_size, **extra)
    B, T, inputs = given.x.shape
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (T, B, inputs))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (T, 1, B, given.hidden_size))],
        [numpy_helper.from_array(array[None], name) for name, array in weights.items()],
    )
    made = helper.make_model_gen_version(graph, opset_imports=[helper.make_opsetid("", 22)])
    onnx.checker.check_model(made)
    return made.SerializeToString()


if __name__ == "__main__":
    main()
