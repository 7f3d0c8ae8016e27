"""A graph as an ONNX file: the one place that knows the package ``onnx``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import MissingExtra
from unrolled.export._smaller import Stored, stored_as
from unrolled.layers.graph import Graph, Node, Port, Scope

if TYPE_CHECKING:
    import onnx

__all__ = ["IR", "OPSET", "to_onnx"]

OPSET, IR = 18, 8  # written out: `onnx` would write its newest, which older runtimes refuse


def to_onnx(graph: Graph, stored: Stored | None = None) -> bytes:
    """``graph`` as an ONNX file, checked; the same graph gives the same bytes.

    Args:
        graph: the operators.
        stored: how weights are stored, of a model that was `rounded` so. They are float32 again before they are used,
            which runtimes do once, when they load the file.

    Raises:
        MissingExtra: ``onnx`` is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtra("onnx", "export", "an export to ONNX") from None
    helper, initial, first = onnx.helper, list[Any](), list[Node]()
    for name, array in graph.constants.items():
        small = None if stored is None else stored_as(array, stored)
        parts = {name: array} if small is None else {f"{name}.{stored}": small[0]}
        if small is not None:
            wide = name if small[1] is None else f"{name}.float32"
            first.append(Node("Cast", (f"{name}.{stored}",), (wide,), {"to": np.dtype(np.float32)}))
            if small[1] is not None:
                parts[f"{name}.scale"] = small[1]
                first.append(Node("Mul", (wide, f"{name}.scale"), (name,), {}))
        initial += [onnx.numpy_helper.from_array(part, key) for key, part in parts.items()]
    whole = replace(graph.scope, nodes=[*first, *graph.scope.nodes])
    scope = _scope(whole, "unrolled", initial)
    model = helper.make_model(
        scope, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="unrolled"
    )
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _scope(scope: Scope, name: str, initial: list[Any] | None = None) -> onnx.GraphProto:
    from onnx import helper

    nodes = [helper.make_node(n.kind, n.inputs, n.outputs, **_attributes(n)) for n in scope.nodes]
    return helper.make_graph(
        nodes, name, [_port(p) for p in scope.inputs], [_port(p) for p in scope.outputs], initial or []
    )


def _attributes(node: Node) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, value in node.attributes.items():
        if isinstance(value, Scope):
            found[name] = _scope(value, name)
        elif isinstance(value, np.dtype):
            found[name] = _element(value)
        else:
            found[name] = value
    return found


def _port(port: Port) -> onnx.ValueInfoProto:
    from onnx import helper

    shape = port.shape or None  # the values of a loop's body have the shapes that they are given
    return helper.make_tensor_value_info(port.name, _element(port.dtype), shape)


def _element(dtype: np.dtype[Any]) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(dtype))
