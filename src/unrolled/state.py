"""Functions on states: any nesting of tensors, ``None``, (named) tuples, lists and dicts, with the batch as axis 0.

Streaming, generation, beam search, truncated backpropagation and resuming handle a model's state only through these.

A named tuple may have a property ``ragged``, which names the parts whose axis 1 is as long as the longest row needs,
such as the keys of attention. They are padded with zeros, and further zeros do not change their meaning. Its property
``held`` (B,) then says how many of them each row fills.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import ModelError

__all__ = [
    "State",
    "concatenate",
    "detach",
    "flatten",
    "from_bytes",
    "leaves",
    "map_state",
    "meta_of",
    "planted",
    "rebuild",
    "rows_from_bytes",
    "rows_to_bytes",
    "select",
    "split",
    "to_bytes",
    "walk",
    "where",
]

State = Any  # a tree of tensors, which the type system cannot express


def map_state(function: Callable[..., Any], state: State, *others: State) -> State:
    """Apply ``function`` to every tensor of ``state`` (and the tensors in the same places of ``others``).

    Example:
        >>> map_state(lambda t: t + 1, (torch.zeros(2), None))
        (tensor([1., 1.]), None)
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return function(state, *others)
    if isinstance(state, dict):
        return {key: map_state(function, state[key], *(other[key] for other in others)) for key in state}
    parts = [map_state(function, *items) for items in zip(state, *others, strict=True)]
    if hasattr(state, "_fields"):
        return type(state)(*parts)
    return type(state)(parts)


def detach(state: State) -> State:
    """The same values, detached from the graph, as between the windows of truncated backpropagation."""
    return map_state(Tensor.detach, state)


def select(state: State, rows: Tensor) -> State:
    """The states of ``rows`` (int64 indices); reorders beams, drops finished rows, or repeats a state."""
    return map_state(lambda t: t.index_select(0, rows), state)


def where(mask: Tensor, state: State, other: State) -> State:
    """Row by row, ``state`` where ``mask`` (B,) is True, ``other`` elsewhere."""

    def choose(*parts: Tensor) -> Tensor:
        a, b = _equally_long(parts)
        return torch.where(mask.view(-1, *[1] * (a.dim() - 1)), a, b)

    return map_state(choose, state, other)


def concatenate(states: Sequence[State]) -> State:
    """The rows of all ``states``, one after another."""
    return map_state(lambda *parts: torch.cat(_equally_long(parts)), *states)


def split(state: State) -> list[State]:
    """Each row as its own state: the inverse of `concatenate`, without the padding to the longest row."""
    return [_filled(state, row) for row in zip(*_rows(state), strict=True)]


def flatten(state: State, prefix: str = "state") -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of every tensor, in a fixed order; the path names fields and positions."""
    return ((path, tensor) for path, tensor, _ in walk(state, prefix))


def rebuild(like: State, tensors: dict[str, Tensor], prefix: str = "state") -> State:
    """The inverse of `flatten`: a state of the structure of ``like`` with the values of ``tensors``.

    Raises:
        ModelError: a tensor is missing, left over, or differs from ``like`` in dtype or in shape, other than in the
            batch axis and axis 1 of ragged parts.
    """
    wanted = {path: (tensor, 2 if ragged else 1) for path, tensor, ragged in walk(like, prefix)}
    if wanted.keys() != tensors.keys():
        odd = sorted(wanted.keys() ^ tensors.keys())[0]
        raise ModelError(f"this state belongs to another model: it differs at {odd!r}")
    for name, (tensor, first) in wanted.items():
        got = tensors[name]
        if got.dtype != tensor.dtype or got.shape[first:] != tensor.shape[first:] or got.dim() != tensor.dim():
            raise ModelError(
                f"this state belongs to another model: {name!r} is {tuple(got.shape)} {got.dtype}, "
                f"expected {tuple(tensor.shape)} {tensor.dtype}"
            )
    return planted(like, [tensors[name] for name in wanted])


def leaves(like: State, other: Any) -> list[Any]:
    """What ``other`` has in the places of the tensors of ``like``, in the order of `flatten`; not only tensors.

    >>> leaves((torch.zeros(2), None), ("first", None))
    ['first']
    """
    found: list[Any] = []

    def take(tensor: Tensor, value: Any) -> Tensor:
        found.append(value)
        return tensor

    map_state(take, like, other)
    return found


def planted(like: State, values: Iterable[Any]) -> Any:
    """The inverse of `leaves`: a tree of the structure of ``like`` with ``values`` for its tensors.

    >>> planted((torch.zeros(2), None), ["first"])
    ('first', None)
    """
    found = iter(values)
    return map_state(lambda _: next(found), like)


def to_bytes(state: State, meta: dict[str, Any] | None = None) -> bytes:
    """The state as a safetensors file in memory, with ``meta`` (JSON values) in its header."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in flatten(state)}
    return save(tensors, metadata={"unrolled": json.dumps(meta or {})})


def rows_to_bytes(state: State, metas: Sequence[dict[str, Any]]) -> list[bytes]:
    """What `to_bytes` gives of each row, with its own ``meta``, in far less time for many rows.

    The library lays out the file of the first row; those of the others differ in their numbers and ``meta`` only.
    """
    tensors = dict(flatten(state))
    if not metas or not tensors:
        return [to_bytes(state, meta) for meta in metas]
    first = to_bytes(map_state(lambda part: part[:1], state))
    size = int.from_bytes(first[:8], "little")
    header = json.loads(first[8 : 8 + size])
    del header["__metadata__"]
    parts = [tensors[name].detach().cpu() for name in sorted(header, key=lambda name: header[name]["data_offsets"])]
    bytes_ = [(part.flatten(1) if part.dim() > 1 else part[:, None]).contiguous().view(torch.uint8) for part in parts]
    body = torch.cat(bytes_, dim=1).numpy()
    laid_out = json.dumps(header, separators=(",", ":"))[1:]
    files = []
    for row, meta in zip(body, metas, strict=True):
        said = json.dumps({"unrolled": json.dumps(meta)})
        head = f'{{"__metadata__":{said},{laid_out}'.encode()
        head += b" " * (-len(head) % 8)  # the numbers begin at a multiple of 8
        files.append(len(head).to_bytes(8, "little") + head + row.tobytes())
    return files


def rows_from_bytes(files: Sequence[bytes], like: State) -> tuple[State, list[dict[str, Any]]] | None:
    """What `rows_to_bytes` wrote, joined, and each ``meta``; ``like`` is the state of one row.

    ``None`` if one of them is laid out in another way: `from_bytes` reads it, or says what is wrong.
    """
    first = to_bytes(like)
    size = int.from_bytes(first[:8], "little")
    layout = json.loads(first[8 : 8 + size])
    del layout["__metadata__"]
    length = len(first) - 8 - size
    metas, bodies = [], []
    try:
        for data in files:
            size = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + size])
            metas.append(dict(json.loads(header.pop("__metadata__")["unrolled"])))
            bodies.append(data[8 + size :])
            if header != layout or len(bodies[-1]) != length:
                return None
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if not length or not files:
        return None
    rows = torch.frombuffer(bytearray(b"".join(bodies)), dtype=torch.uint8).view(len(files), length)
    parts = []
    for name, part in flatten(like):
        start, end = layout[name]["data_offsets"]
        parts.append(rows[:, start:end].reshape(-1).clone().view(part.dtype).view(len(files), *part.shape[1:]))
    return planted(like, parts), metas


def from_bytes(data: bytes, like: State) -> tuple[State, dict[str, Any]]:
    """The state and ``meta`` that `to_bytes` wrote, checked against the structure of ``like``.

    Raises:
        ModelError: the bytes are not a snapshot, or belong to another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    meta = meta_of(data)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise _no_snapshot(data, error) from None
    return rebuild(like, tensors), meta


def meta_of(data: bytes) -> dict[str, Any]:
    """The ``meta`` that `to_bytes` wrote.

    Raises:
        ModelError: the bytes are not a snapshot.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        meta: dict[str, Any] = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["unrolled"])
        return dict(meta)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _no_snapshot(data, error) from None


def _no_snapshot(data: bytes, error: Exception) -> ModelError:
    return ModelError(f"these {len(data)} bytes are not a snapshot of a session: {error}")


def walk(state: State, prefix: str, ragged: bool = False) -> Iterator[tuple[str, Tensor, bool]]:
    """(path, tensor, whether it is ragged) of every tensor."""
    if isinstance(state, Tensor):
        yield prefix, state, ragged
    elif isinstance(state, dict):
        for key in state:
            yield from walk(state[key], f"{prefix}.{key}")
    elif state is not None:
        names, free = getattr(state, "_fields", range(len(state))), getattr(state, "ragged", ())
        for name, part in zip(names, state, strict=True):
            yield from walk(part, f"{prefix}.{name}", name in free)


def _filled(like: State, tensors: Sequence[Tensor]) -> State:
    """A state of the structure of ``like``, with ``tensors`` in the order of `flatten`."""
    found = iter(tensors)
    return map_state(lambda _: next(found), like)


def _rows(state: State, held: Tensor | None = None) -> Iterator[list[Tensor]]:
    """The rows of every tensor, in the order of `flatten`; copies, so that a row does not keep the others alive."""
    if isinstance(state, Tensor):
        if held is None:
            yield [state[row : row + 1].clone() for row in range(len(state))]
        else:
            yield [state[row : row + 1, :own].clone() for row, own in enumerate(held.tolist())]
    elif state is not None:
        free = getattr(state, "ragged", ())
        own = state.held if free else None
        names = state if isinstance(state, dict) else getattr(state, "_fields", range(len(state)))
        parts = state.values() if isinstance(state, dict) else state
        for name, part in zip(names, parts, strict=True):
            yield from _rows(part, own if name in free else None)


def _equally_long(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The same tensors, padded with zeros to one length along axis 1."""
    longest = max(part.shape[1:2] for part in parts)
    if all(part.shape[1:2] == longest for part in parts):
        return parts
    missing = [(len(part), longest[0] - part.shape[1], *part.shape[2:]) for part in parts]
    return tuple(torch.cat([part, part.new_zeros(shape)], 1) for part, shape in zip(parts, missing, strict=True))
