"""Live sessions as bytes: their states, what their encodings remember, and how many values they took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from unrolled.errors import ModelError
from unrolled.state import State, flatten, from_bytes, meta_of, rows_from_bytes, rows_to_bytes, to_bytes

__all__ = ["Kept", "Memory", "read", "read_each", "written", "written_each"]

_DAMAGED = "this snapshot is damaged: its memory of earlier steps cannot be read"
Memory = dict[str, list[float]]  # column name -> what its encoding remembers of earlier steps


class Kept(NamedTuple):
    """What is kept of N sessions.

    Attributes:
        state: their states as a batch of N rows; a list of N states where these differ in size.
        before: what their encodings remember.
        steps: how many values they took.
    """

    state: State
    before: Sequence[Memory]
    steps: Sequence[int]


def written(kept: Kept, identity: str) -> bytes:
    """The sessions as a safetensors file; ``identity`` is the fingerprint of the weights."""
    return to_bytes(kept.state, _meta(identity, list(kept.before), list(kept.steps)))


def written_each(kept: Kept, identity: str) -> list[bytes]:
    """Each session as its own safetensors file; the states are of one size."""
    each = zip(kept.before, kept.steps, strict=True)
    return rows_to_bytes(kept.state, [_meta(identity, [before], [steps]) for before, steps in each])


def read(data: bytes, like: State, identity: str, *, ragged: bool) -> Kept:
    """The sessions that `written` wrote.

    Args:
        data: the file.
        like: the state of one session.
        identity: the fingerprint of the weights.
        ragged: states differ in size: of several sessions there is a list of them.

    Raises:
        ModelError: it is not a snapshot, is damaged, or belongs to another model.
    """
    steps = meta_of(data).get("steps") if ragged else None
    several = len(steps) if isinstance(steps, list) and len(steps) != 1 else None
    state, meta = from_bytes(data, like if several is None else [like] * several)
    before, counts = _told(meta, identity)
    rows = {len(before), *({len(part) for _, part in flatten(state)} if several is None else {several})}
    if rows != {len(counts)}:
        raise ModelError(_DAMAGED)
    return Kept(state, before, counts)


def read_each(files: Sequence[bytes], like: State, identity: str) -> Kept | None:
    """The sessions of files that hold one each, as `written_each` wrote them, together.

    ``None`` if anything about one of them is otherwise: `read` says what.
    """
    found = rows_from_bytes(files, like)
    if found is None:
        return None
    state, metas = found
    try:
        told = [_told(meta, identity) for meta in metas]
    except ModelError:
        return None
    if any((len(before), len(counts)) != (1, 1) for before, counts in told):
        return None
    return Kept(state, [before for (before,), _ in told], [count for _, (count,) in told])


def _told(meta: dict[str, Any], identity: str) -> tuple[list[Memory], list[int]]:
    """What ``meta`` says of each session: what its encodings remember, and how many values it took."""
    if meta.get("model") != identity:
        raise ModelError("this snapshot belongs to a model with other weights")
    steps = meta.get("steps")
    # Snapshots of earlier versions hold one session, and no number of steps.
    try:
        found: Any = json.loads(meta.get("before", "{}"))
        before = [_memory(one) for one in (found if isinstance(found, list) else [found])]
        return before, [int(one) for one in (steps if isinstance(steps, list) else [steps or 0])]
    except (ValueError, TypeError, AttributeError):
        raise ModelError(_DAMAGED) from None


def _meta(identity: str, before: list[Memory], steps: list[int]) -> dict[str, Any]:
    return {"model": identity, "before": json.dumps(before), "steps": steps}


def _memory(kept: Any) -> Memory:
    return {str(name): [float(number) for number in numbers] for name, numbers in kept.items()}
