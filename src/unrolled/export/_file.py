"""A graph as an ONNX file: the one place that knows the package ``onnx``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import MissingExtra
from unrolled.layers.graph import Graph, Node, Port, Scope

if TYPE_CHECKING:
    import onnx

__all__ = ["IR", "OPSET", "to_onnx"]

OPSET, IR = 18, 8  # written out: `onnx` would write its newest, which older runtimes refuse


def to_onnx(graph: Graph) -> bytes:
    """``graph`` as an ONNX file, checked; the same graph gives the same bytes.

    Raises:
        MissingExtra: ``onnx`` is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtra("onnx", "export", "an export to ONNX") from None
    helper, initial = onnx.helper, [onnx.numpy_helper.from_array(a, n) for n, a in graph.constants.items()]
    scope = _scope(graph.scope, "unrolled", initial)
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
