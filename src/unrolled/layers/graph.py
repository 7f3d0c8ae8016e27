"""A graph of operators: what a model computes, as data that other programs can run.

Each layer writes itself into a `Graph` with its method ``graph``, in the operators of ONNX (opset 18). This file knows
their names, but not the package ``onnx``: `unrolled.export.onnx` writes a graph as a file.

Axes: B rows, T steps, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Graph",
    "Node",
    "Port",
    "Scope",
    "Shaped",
    "Value",
    "concat",
    "is_real",
    "last_steps",
    "steps_of",
    "where",
    "zeroed",
]

Number = int | float
Shaped = tuple["Value", tuple[int | str, ...]]
"""A value and its shape: an axis is a number, or the name of one that may have any size."""
_BOOLS = {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "Not", "And", "Or", "IsNaN"}
_INTEGERS = {"Shape", "ArgMax"}
_SECOND = {"Where"}  # operators whose result has the dtype of their second input


class Port(NamedTuple):
    """An input or output of a graph: an axis is a number, or the name of one that may have any size."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The nodes of a graph, or of the body of a loop in it, which may also use the values around it."""

    nodes: list[Node] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    known: dict[Any, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with the names of its inputs ("" where one is left out) and outputs.

    ``attributes`` are numbers, texts, lists of them, or the `Scope` of a loop.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor in a graph. ``+ - * / @``, ``-x`` and comparisons add nodes; numbers become constants of its dtype."""

    graph: Graph
    name: str
    dtype: np.dtype[Any]

    def __add__(self, other: Value | Number) -> Value:
        return self.graph.op("Add", self, other)

    def __radd__(self, other: Number) -> Value:
        return self.graph.op("Add", other, self)

    def __sub__(self, other: Value | Number) -> Value:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: Number) -> Value:
        return self.graph.op("Sub", other, self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.graph.op("Mul", self, other)

    def __rmul__(self, other: Number) -> Value:
        return self.graph.op("Mul", other, self)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.graph.op("Div", self, other)

    def __rtruediv__(self, other: Number) -> Value:
        return self.graph.op("Div", other, self)

    def __matmul__(self, other: Value) -> Value:
        return self.graph.op("MatMul", self, other)

    def __neg__(self) -> Value:
        return self.graph.op("Neg", self)

    def __lt__(self, other: Value | Number) -> Value:
        return self.graph.op("Less", self, other)

    def __le__(self, other: Value | Number) -> Value:
        return self.graph.op("LessOrEqual", self, other)

    def __gt__(self, other: Value | Number) -> Value:
        return self.graph.op("Greater", self, other)

    def __ge__(self, other: Value | Number) -> Value:
        return self.graph.op("GreaterOrEqual", self, other)

    def __and__(self, other: Value) -> Value:
        return self.graph.op("And", self, other)

    def __or__(self, other: Value) -> Value:
        return self.graph.op("Or", self, other)

    def __invert__(self) -> Value:
        return self.graph.op("Not", self)

    def to(self, dtype: Any) -> Value:
        """The same numbers in another dtype."""
        wanted = np.dtype(dtype)
        return self if wanted == self.dtype else self.graph.op("Cast", self, dtype=wanted, to=wanted)

    def size(self, axis: int) -> Value:
        """(1,) int64: its size along ``axis`` ≥ 0."""
        return self.graph.op("Shape", self, start=axis, end=axis + 1)

    def reshape(self, *shape: int | Value) -> Value:
        """Another shape: sizes, (1,) values, 0 for the size that an axis has, one -1 for what is left."""
        return self.graph.op("Reshape", self, self.graph.sizes(*shape))

    def expand(self, *shape: int | Value) -> Value:
        """Repeated along axes of size 1; the other sizes in ``shape`` may be 1."""
        return self.graph.op("Expand", self, self.graph.sizes(*shape))

    def unsqueeze(self, *axes: int) -> Value:
        """With new axes of size 1."""
        return self.graph.op("Unsqueeze", self, self.graph.sizes(*axes))

    def squeeze(self, *axes: int) -> Value:
        """Without these axes of size 1."""
        return self.graph.op("Squeeze", self, self.graph.sizes(*axes))

    def transpose(self, *axes: int) -> Value:
        """Its axes in another order."""
        return self.graph.op("Transpose", self, perm=list(axes))

    def split(self, sizes: Sequence[int], axis: int = -1) -> list[Value]:
        """Parts of these sizes along ``axis``."""
        if len(sizes) == 1:
            return [self]
        return self.graph.ops("Split", self, self.graph.sizes(*sizes), outputs=len(sizes), axis=axis)

    def part(self, begin: int | Value, end: int | Value, axis: int) -> Value:
        """The places ``begin … end`` of ``axis``."""
        g = self.graph
        return g.op("Slice", self, g.sizes(begin), g.sizes(end), g.sizes(axis))

    def sum(self, axis: int, keep: bool = False) -> Value:
        """Summed over ``axis``."""
        return self.graph.op("ReduceSum", self, self.graph.sizes(axis), keepdims=int(keep))

    def mean(self, axis: int) -> Value:
        """The mean over ``axis``, which keeps size 1."""
        return self.graph.op("ReduceMean", self, self.graph.sizes(axis), keepdims=1)

    def max(self, axis: int) -> Value:
        """The largest over ``axis``, which goes."""
        return self.graph.op("ReduceMax", self, self.graph.sizes(axis), keepdims=0)

    def rows(self, places: Value) -> Value:
        """(B, N, …): of each row of (B, T, …) the steps ``places`` (B, N); without N where ``places`` is (B, 1) too."""
        return self.graph.op("GatherND", self, places.unsqueeze(2), batch_dims=1)

    def apply(self, function: str, **attributes: Any) -> Value:
        """An operator of one input, such as ``Sigmoid``."""
        return self.graph.op(function, self, **attributes)


class Graph:
    """A graph that grows as operators are applied; the same operator on the same inputs is one node.

    Example:
        >>> g = Graph()
        >>> x = g.input("x", np.float32, ("rows", 2))
        >>> g.output("y", (x + 1.0) * (x + 1.0), ("rows", 2))
        >>> [node.kind for node in g.scope.nodes]
        ['Add', 'Mul', 'Identity']
    """

    def __init__(self) -> None:
        self.scope = Scope()
        self.constants: dict[str, np.ndarray] = {}
        self._scopes, self._same, self._count = [self.scope], dict[Any, Value](), 0

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> Value:
        """A new input of the graph."""
        port = Port(name, np.dtype(dtype), tuple(shape))
        self._scopes[-1].inputs.append(port)
        return Value(self, name, port.dtype)

    def output(self, name: str, value: Value, shape: Sequence[int | str]) -> None:
        """``value`` as an output of the graph."""
        self._scopes[-1].nodes.append(Node("Identity", (value.name,), (name,), {}))
        self._scopes[-1].outputs.append(Port(name, value.dtype, tuple(shape)))

    def constant(self, value: Any, dtype: Any = None) -> Value:
        """A constant: an array, a tensor of torch, or a number."""
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype)
        array = np.array(array, order="C")
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._same:
            name = self._name("constant")
            self.constants[name] = array
            self._same[key] = Value(self, name, array.dtype)
        return self._same[key]

    def sizes(self, *sizes: int | Value) -> Value:
        """(n,) int64 of numbers and (1,) values."""
        if not any(isinstance(size, Value) for size in sizes):
            return self.constant(sizes, np.int64)
        parts = [size if isinstance(size, Value) else self.sizes(size) for size in sizes]
        return parts[0] if len(parts) == 1 else concat(parts, 0)

    def op(self, kind: str, *inputs: Value | Number | None, dtype: Any = None, **attributes: Any) -> Value:
        """The only output of the operator ``kind``; its dtype is that of the first input unless its kind says more."""
        return self.ops(kind, *inputs, dtype=dtype, **attributes)[0]

    def ops(
        self, kind: str, *inputs: Value | Number | None, outputs: int = 1, dtype: Any = None, **attributes: Any
    ) -> list[Value]:
        """The outputs of the operator ``kind``. A number has the dtype of the first value; ``None`` is left out."""
        first = next(one for one in inputs if isinstance(one, Value))
        values = [self.constant(one, first.dtype) if isinstance(one, int | float) else one for one in inputs]
        names = tuple("" if one is None else one.name for one in values)
        key = kind, names, outputs, tuple((name, str(value)) for name, value in sorted(attributes.items()))
        for scope in self._scopes:
            if key in scope.known:
                return list(scope.known[key])
        if dtype is None:
            like = values[1] if kind in _SECOND else values[0]
            assert like is not None
            dtype = np.bool_ if kind in _BOOLS else np.int64 if kind in _INTEGERS else like.dtype
        found = tuple(Value(self, self._name(kind), np.dtype(dtype)) for _ in range(outputs))
        self._scopes[-1].nodes.append(Node(kind, names, tuple(one.name for one in found), attributes))
        self._scopes[-1].known[key] = found
        return list(found)

    def scan(
        self,
        state: Sequence[Value],
        steps: Sequence[Value],
        body: Callable[[list[Value], list[Value]], tuple[Sequence[Value], Sequence[Value]]],
        *,
        reverse: bool = False,
    ) -> tuple[list[Value], list[Value]]:
        """Run ``body`` step by step.

        Args:
            state: the state before the first step.
            steps: (B, T, …), what each step reads.
            body: the state, and one step of each of ``steps`` (B, …) -> the state after, and what the step gives.
            reverse: from the last step to the first.

        Returns:
            the state after the last step, and what every step gives, (B, T, …).
        """
        inside = Scope()
        self._scopes.append(inside)
        try:
            before, now = (
                [self.input(self._name("step"), value.dtype, ()) for value in values] for values in (state, steps)
            )
            after, given = body(before, now)
            for value in (*after, *given):
                self.output(self._name("after"), value, ())
        finally:
            self._scopes.pop()
        # The inputs and outputs of a body have no shape: they take that of the values that are given.
        turned, every = int(reverse), len(steps)
        name = tuple(value.name for value in (*state, *steps))
        kept = [Value(self, self._name("Scan"), value.dtype) for value in (*after, *given)]
        attributes = {
            "body": inside,
            "num_scan_inputs": every,
            "scan_input_axes": [1] * every,
            "scan_output_axes": [1] * len(given),
            "scan_input_directions": [turned] * every,
            "scan_output_directions": [turned] * len(given),
        }
        self._scopes[-1].nodes.append(Node("Scan", name, tuple(one.name for one in kept), attributes))
        return kept[: len(state)], kept[len(state) :]

    def linear(self, x: Value, weight: Any, bias: Any = None) -> Value:
        """``x`` Wᵀ + b of torch's weights (O, I) and (O,)."""
        y = x @ self.constant(weight.detach().cpu().T)
        return y if bias is None else y + self.constant(bias)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind.lower()}:{self._count}"


def where(condition: Value, yes: Value | Number, no: Value | Number) -> Value:
    """``yes`` where ``condition`` is true, else ``no``; one of them may be a number."""
    g = condition.graph
    like = yes if isinstance(yes, Value) else no
    assert isinstance(like, Value)
    chosen = [one if isinstance(one, Value) else g.constant(one, like.dtype) for one in (yes, no)]
    return g.op("Where", condition, *chosen)


def concat(parts: Sequence[Value], axis: int) -> Value:
    """The parts end to end along ``axis``."""
    return parts[0] if len(parts) == 1 else parts[0].graph.op("Concat", *parts, axis=axis)


def steps_of(x: Value) -> Value:
    """(T,) int64: 0 … T - 1, for ``x`` (B, T, …)."""
    g = x.graph
    return g.op("Range", g.constant(np.int64(0)), x.size(1).squeeze(0), g.constant(np.int64(1)))


def is_real(x: Value, lengths: Value) -> Value:
    """(B, T) bool: True at the real steps of ``x`` (B, T, …)."""
    return steps_of(x) < lengths.unsqueeze(1)


def last_steps(x: Value, lengths: Value) -> Value:
    """(B, W): the last real step of each row of ``x`` (B, T, W); the first one of a row without steps."""
    last = x.graph.op("Max", lengths - 1, x.graph.constant(0, np.int64))
    return x.rows(last.unsqueeze(1)).squeeze(1)


def zeroed(x: Value, lengths: Value) -> Value:
    """``x`` (B, T, W) with 0 beyond each row's length."""
    return where(is_real(x, lengths).unsqueeze(2), x, 0.0)
