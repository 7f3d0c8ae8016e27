"""Run in a process of its own by `test_torch_compat_hostile`: hypothesis throws tensors at the layers and the door.

Each is answered as torch.nn answers it, or refused in a sentence that names the layer and what is wrong.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from unrolled.cells.cell import CELLS
from unrolled.errors import ShapeError, UsageError
from unrolled.layers import torch_compat
from unrolled.layers.recurrence.unroll import unroll

INPUTS, HIDDEN = 3, 5
DTYPES = [torch.float32] * 5 + [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]
EXAMPLES = settings(
    max_examples=int(sys.argv[1]),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
SENTENCE = re.compile(
    r"^(RNN|GRU|LSTM|IRNN|MinGRU|MinLSTM)\b.*\b(input|x|lengths|hx|h_0|c_0|state(\.[hc])?)\b.*"
    r"\b(expected|must|convert|move|needs)\b"
)


@st.composite
def tensors(draw: st.DrawFn, shape: tuple[int, ...], wrong: bool, infinite: bool = True) -> Tensor:
    """Of ``shape``, or perhaps not: any strides, any values, and where ``wrong`` any shape, dtype and device."""
    dtype, device = torch.float32, "cpu"
    if wrong:
        dtype = draw(st.sampled_from(DTYPES))
        device = draw(st.sampled_from(["cpu"] * 5 + ["meta"]))
        kind = draw(st.sampled_from(["right", "right", "one other", "any"]))
        if kind == "one other" and shape:
            place = draw(st.integers(0, len(shape) - 1))
            shape = (*shape[:place], draw(st.integers(0, 7)), *shape[place + 1 :])
        elif kind == "any":
            shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    if device == "meta":
        return torch.empty(shape, dtype=dtype, device=device)
    layout = draw(st.sampled_from(["plain", "turned", "wide", "expanded", "flipped", "offset"]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    values = torch.randn(shape, generator=generator)
    if draw(st.booleans()) and values.numel():
        odd = [float("nan"), 1e30, 0.0, *([float("inf"), -float("inf")] if infinite else [])]
        values.view(-1)[draw(st.integers(0, values.numel() - 1))] = draw(st.sampled_from(odd))
    values = values.nan_to_num(0).to(dtype) if dtype in (torch.int64, torch.bool) else values.to(dtype)
    if layout == "turned":
        return values.mT.contiguous().mT if values.dim() > 1 else values
    if layout == "wide" and values.dim():
        wide = torch.zeros((*shape[:-1], 2 * shape[-1]), dtype=dtype)
        wide[..., ::2] = values
        return wide[..., ::2]
    if layout == "expanded" and values.dim():
        return values[:1].expand(shape) if shape[0] else values
    if layout == "flipped" and values.dim():
        return values.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "offset":
        return torch.cat([values.new_zeros(1), values.reshape(-1)])[1:].view(shape)
    return values


@st.composite
def lengths(draw: st.DrawFn, rows: int, steps: int) -> Any:
    right = st.lists(st.integers(0, steps), min_size=rows, max_size=rows)
    kind = draw(st.sampled_from(["right", "list", "beyond", "size", "dtype", "axes", "meta", "odd"]))
    if kind == "odd":
        return draw(st.sampled_from(["three", 3, 2.5, [None], [[1], [2]], torch.tensor(2), {}]))
    if kind == "beyond":
        far = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, steps + 2)
        return torch.tensor(draw(st.lists(far, min_size=rows, max_size=rows)), dtype=torch.int64)
    if kind == "size":
        return torch.tensor(draw(st.lists(st.integers(0, steps), max_size=6)), dtype=torch.int64)
    found = draw(right)
    if kind == "list":
        return found
    made = torch.tensor(found, dtype=torch.int64)
    if kind == "dtype":
        return made.to(draw(st.sampled_from([torch.int32, torch.uint8, torch.int8, torch.bool, torch.float32])))
    if kind == "axes":
        return made.unsqueeze(draw(st.sampled_from([0, 1])))
    return made.to("meta") if kind == "meta" else made


def answered(call: Any, given: str) -> Any:
    """The answer, or ``None`` for one of our sentences."""
    try:
        return call()
    except (ShapeError, UsageError) as error:
        assert SENTENCE.match(str(error)), f"{given}: {error}"
        return None


@EXAMPLES
@given(st.data())
def layers(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["LSTM", "GRU", "RNN"]))
    first, both, count = data.draw(st.booleans()), data.draw(st.booleans()), data.draw(st.integers(1, 2))
    options: dict[str, Any] = {"num_layers": count, "bidirectional": both, "batch_first": first}
    torch.manual_seed(0)
    theirs, ours = getattr(nn, name)(INPUTS, HIDDEN, **options), getattr(torch_compat, name)(INPUTS, HIDDEN, **options)
    ours.load_state_dict(theirs.state_dict())
    rows, steps = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 6))
    which = data.draw(st.sampled_from(["x", "state", "lengths", "nothing"]))
    x = data.draw(tensors((rows, steps, INPUTS) if first else (steps, rows, INPUTS), which == "x"))
    state: Any = None
    if which == "state" or data.draw(st.booleans()):
        shape = (count * (1 + both), rows, HIDDEN)
        # Of an infinite state a shut gate lets nothing (NaN) through in torch, and 1e-38 of it (∞) here.
        parts = tuple(
            data.draw(tensors(shape, which == "state", infinite=False)) for _ in range(2 if name == "LSTM" else 1)
        )
        state = parts if name == "LSTM" else parts[0]
    real = data.draw(lengths(rows, steps)) if which == "lengths" else None
    grad = data.draw(st.booleans())
    about = f"{name} {options}, x {tuple(x.shape)} {x.dtype} {x.stride()} {x.device}, state {state}, lengths {real}"
    with torch.set_grad_enabled(grad):
        found = answered(lambda: ours(x, state, lengths=real), about)
        if real is not None:
            return
        try:
            expected = theirs(x, state)
        except (RuntimeError, ValueError, AttributeError, NotImplementedError):
            expected = None
    assert found is None or expected is not None, f"{about}: torch.nn refuses"
    # Where there are no rows, torch does not look at all that it is given.
    assert found is not None or expected is None or x.numel() == 0, f"{about}: torch.nn answers"
    if found is not None:
        for mine, other in zip(flat(found), flat(expected), strict=True):
            torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4, equal_nan=True, msg=about)
        if grad:
            found[0].sum().backward()


def flat(answer: Any) -> list[Tensor]:
    y, state = answer
    return [y, *(state if isinstance(state, tuple) else [state])]


@EXAMPLES
@given(st.data())
def door(data: st.DataObject) -> None:
    cell = CELLS.get(data.draw(st.sampled_from(["lstm", "gru", "rnn", "irnn"])))(INPUTS, HIDDEN)
    rows, steps = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 6))
    which = data.draw(st.sampled_from(["x", "state", "lengths", "nothing"]))
    x = data.draw(tensors((rows, steps, INPUTS), which == "x"))
    like = type(cell.initial_state(1, torch.zeros(1)))
    state: Any = None
    if which == "state":
        state = like(*(data.draw(tensors((rows, HIDDEN), True)) for _ in like._fields))
        state = data.draw(st.sampled_from([state, state, state, tuple(state), state[0], (), "zeros", [*state]]))
    real = data.draw(lengths(rows, steps)) if which == "lengths" else None
    recompute: Any = data.draw(st.sampled_from([None, None, "sqrt", 1, 3]))
    about = f"{cell}, x {tuple(x.shape)} {x.dtype} {x.stride()} {x.device}, state {state}, lengths {real}"
    grad = data.draw(st.booleans())
    with torch.set_grad_enabled(grad):
        found = answered(lambda: unroll(cell, x, real, state, recompute=recompute), about)
    if found is not None:
        y, last = found
        assert y.shape == (*x.shape[:2], HIDDEN), about
        assert [part.shape for part in last] == [(len(x), HIDDEN)] * len(like._fields), about
        if real is not None:
            assert not y[torch.arange(steps) >= real.unsqueeze(1)].any(), about
        if y.requires_grad:  # without steps nothing was done with the weights
            y.sum().backward()


if __name__ == "__main__":
    layers()
    door()
