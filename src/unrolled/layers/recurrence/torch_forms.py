"""The shared parts of the layers of `torch_compat`: they check torch.nn's forms of weights, input and state.

Axes, in torch's letters: N rows, L steps, I inputs, H hidden units, P outputs (the projection, or H), K layers,
D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from numbers import Real
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from unrolled.cells.cell import check_input
from unrolled.cells.gru import GRUState
from unrolled.cells.lstm import LSTMState
from unrolled.cells.rnn import RNNState
from unrolled.errors import ShapeError, UsageError, WrongType
from unrolled.kernels.plain import plain_step
from unrolled.layers.lengths import check_lengths, check_mask, gathered, scattered, zero_padding
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session
from unrolled.layers.recurrence.packed import Packed, unpack
from unrolled.layers.recurrence.recomputation import Recompute, check_recompute
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.layers.recurrence.unroll import unroll
from unrolled.layers.recurrence.whole_layer import run_whole
from unrolled.state import State
from unrolled.watch import Place, watched, watching

__all__ = ["Form", "Lengths", "run", "session"]

Lengths = Tensor | Sequence[int] | None
_STATES: dict[str, Any] = {"rnn_tanh": RNNState, "rnn_relu": RNNState, "gru": GRUState, "lstm": LSTMState}


@dataclass(frozen=True)
class Form:
    """The constructor's arguments, checked; ``mode`` is torch's name of the cell, such as ``RNN_TANH``."""

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    recompute: Recompute

    @staticmethod
    def of(module: nn.Module) -> Form:
        """Read the module's attributes at each call, so that ``layer.dropout = 0`` works as it does in torch."""
        values = [getattr(module, name) for name in _FIELDS]
        if torch.compiler.is_compiling():  # the compiler warns about functions with a cache
            return Form(*values)
        try:
            return _checked_form(*values)
        except TypeError:  # an unhashable value cannot be valid: the constructor raises the right error
            return Form(*values)

    def __post_init__(self) -> None:
        for name, least in (("input_size", 1), ("hidden_size", 1), ("num_layers", 1), ("proj_size", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise WrongType(f"{name} must be an integer of at least {least}, got {value!r}")
            if value < least:
                raise UsageError(f"{name} must be an integer of at least {least}, got {value!r}")
        for name in ("bias", "batch_first", "bidirectional"):
            if not isinstance(getattr(self, name), bool):
                raise WrongType(f"{name} must be True or False, got {getattr(self, name)!r}")
        if not isinstance(self.dropout, Real) or isinstance(self.dropout, bool):
            raise WrongType(f"dropout must be a number in 0 … 1, got {self.dropout!r}")
        if not 0 <= self.dropout <= 1:
            raise UsageError(f"dropout must be a number in 0 … 1, got {self.dropout!r}")
        if self.proj_size and self.kernel != "lstm":
            raise UsageError(f"proj_size is an option of LSTM: {self.mode.split('_')[0]} has no projection")
        if self.proj_size >= self.hidden_size:
            raise UsageError(f"proj_size must be below hidden_size = {self.hidden_size}, got {self.proj_size}")
        check_recompute(self.recompute)

    @property
    def kernel(self) -> str:
        """The name of the cell in ``torch._VF`` and in the kernels."""
        return self.mode.lower()

    @property
    def output_size(self) -> int:
        """P."""
        return self.proj_size or self.hidden_size

    @property
    def directions(self) -> int:
        """D."""
        return 2 if self.bidirectional else 1

    def width(self, layer: int) -> int:
        """The input size of ``layer``."""
        return self.output_size * self.directions if layer else self.input_size

    def state(self, parts: Sequence[Tensor]) -> State:
        """The cell's named tuple of ``parts``."""
        return _STATES[self.kernel](*parts)

    def state_widths(self) -> tuple[int, ...]:
        """The width of each part of the cell's state."""
        return (self.output_size, self.hidden_size) if self.kernel == "lstm" else (self.hidden_size,)


_FIELDS = [field.name for field in fields(Form)]


@lru_cache(maxsize=256, typed=True)  # checked once, not at every call; typed, because True must not pass for 1
def _checked_form(*values: Any) -> Form:
    return Form(*values)


def run(
    module: nn.RNNBase,
    given: Tensor | PackedSequence,
    before: tuple[Tensor, ...] | None,
    lengths: Lengths,
    mask: Tensor | None,
    found: dict[str, Any] | None = None,
) -> tuple[Tensor | PackedSequence, tuple[Tensor, ...]]:
    """Run ``module`` on ``given``, in any of torch's forms; return output and final state in the same form.

    Args:
        module: a layer of `torch_compat`.
        given: the input.
        before: each part of the state; ``None`` for zeros.
        lengths: (N,) the real steps of each row.
        mask: (N, L) or (L, N) bool, True at real steps.
        found: receives each gate and state of each step, in the form of the output; ``None``: they are not wanted.

    Raises:
        UsageError: lengths or a mask together with a packed sequence, or with each other.
        ShapeError: the input, the state, the lengths or the mask does not fit.
    """
    if found is None and lengths is None and mask is None and (whole := run_whole(module, given, before)) is not None:
        return whole
    if isinstance(given, Proxy):  # torch.fx keeps torch.nn's own layers whole, and so this one
        tracer = given.tracer
        return tracer.create_proxy("call_module", tracer.path_of_module(module), (given, before, lengths, mask), {})
    form, owner = Form.of(module), type(module).__name__
    weight = cast(Tensor, module.weight_ih_l0)
    if isinstance(given, PackedSequence):
        if lengths is not None or mask is not None:
            name = "mask" if lengths is None else "lengths"
            raise UsageError(f"{owner}: a packed sequence has its own lengths: leave {name} out")
        return _run_packed(module, form, unpack(given, form.input_size, weight, owner), before, owner, found)
    if given.dim() not in (2, 3):
        raise ShapeError(f"{owner}: input has shape {tuple(given.shape)}, expected 3 axes, or 2 for a single row")
    batched = given.dim() == 3
    if not batched and (lengths is not None or mask is not None):
        name = "mask" if lengths is None else "lengths"
        raise ShapeError(f"{owner}: {name} needs a batch: input has shape {tuple(given.shape)}, a single row")
    batch_first = form.batch_first and batched
    axes = "(L, I)" if not batched else "(N, L, I)" if batch_first else "(L, N, I)"
    check_input(given, axes, form.input_size, weight, owner)
    x = given if batched else given.unsqueeze(1)
    x = x if batch_first else x.transpose(0, 1)  # (N, L, I)
    if x.shape[1] == 0:
        raise ShapeError(f"{owner}: input has shape {tuple(given.shape)}, expected at least one step")
    before = None if before is None else _checked_state(form, before, x, owner, batched)
    real = check_lengths(_as_tensor(lengths, owner), x, owner, given)
    check_mask(mask, lengths is not None, x, owner)
    if mask is not None:
        x, real = gathered(x, mask)
    y, after = _recorded(module, form, x, before, real, None, found)

    def shaped(y: Tensor) -> Tensor:
        y = y if mask is None else scattered(y, mask)
        y = y if batch_first else y.transpose(0, 1)
        return y if batched else y.squeeze(1)

    if found is not None:
        found.update({name: shaped(value) for name, value in found.items()})
    return shaped(y), after if batched else tuple(part.squeeze(1) for part in after)


def _run_packed(
    module: nn.RNNBase,
    form: Form,
    packed: Packed,
    before: tuple[Tensor, ...] | None,
    owner: str,
    found: dict[str, Any] | None,
) -> tuple[PackedSequence, tuple[Tensor, ...]]:
    if before is not None:
        before = tuple(packed.sort(part) for part in _checked_state(form, before, packed.x, owner, batched=True))
    whole = None
    if packed.lengths is None and found is None:  # an ordinary batch, which torch's own loop may run
        whole = run_whole(module, packed.x if form.batch_first else packed.x.transpose(0, 1), before)
    if whole is None:
        y, after = _recorded(module, form, packed.x, before, packed.lengths, packed, found)
        if found is not None:
            found.update({name: packed.pack(value) for name, value in found.items()})
    else:
        y, after = whole
        y = y if form.batch_first else y.transpose(0, 1)
    return packed.pack(y), tuple(packed.unsort(part) for part in after)


def session(module: nn.Module, batch: int | None) -> LayerSession:
    """A live session of ``module`` for one row, or for ``batch`` rows.

    Raises:
        UsageError: the module is bidirectional, or is in training mode with dropout.
    """
    form, owner = Form.of(module), type(module).__name__
    if form.bidirectional:
        raise UsageError(f"{owner} is bidirectional, so it cannot run step by step")
    if module.training and form.dropout > 0 and form.num_layers > 1:
        raise UsageError(f"{owner} is in training mode, with dropout: call eval() before session()")
    cells = [_view(module, form, layer, 0) for layer in range(form.num_layers)]

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        after = []
        for cell, before in zip(cells, state, strict=True):
            x, last = cell(x, before)
            after.append(last)
        return x, tuple(after)

    def initial_state(rows: int, like: Tensor) -> State:
        return tuple(cell.initial_state(rows, like) for cell in cells)

    return layer_session(module, batch, cells[0].weights()[0], step, initial_state, cells)


class _View(NamedTuple):
    """One direction of one layer as a cell, so that `unroll` can run the weights of the module."""

    form: Form
    input_size: int
    hidden_size: int
    kernel: str
    parameters: list[Tensor]
    owner: Place

    def __call__(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        if watched():  # then `unroll` calls this one for each step
            after = self.form.state(plain_step(self.kernel, self.owner, x, self.parameters, state))
            return after[0], after
        y, state = unroll(self, x.unsqueeze(1), None, state)
        return y.squeeze(1), state

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.form.state([like.new_zeros(batch, width) for width in self.form.state_widths()])

    def weights(self) -> list[Tensor]:
        return self.parameters


def _view(module: nn.Module, form: Form, layer: int, direction: int) -> _View:
    names: list[str] = module._all_weights[layer * form.directions + direction]  # type: ignore[index,assignment]
    weights: list[Tensor] = [getattr(module, name) for name in names]
    owner = Place(module, f"l{layer}{'_reverse' if direction else ''}")  # as torch.nn names the weights
    return _View(form, form.width(layer), form.hidden_size, form.kernel, weights, owner)


def _recorded(
    module: nn.RNNBase,
    form: Form,
    x: Tensor,
    before: tuple[Tensor, ...] | None,
    lengths: Tensor | None,
    packed: Packed | None,
    found: dict[str, Any] | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`_layers`; ``found`` receives what they show, 0 at padding, and then there are no gradients."""
    if found is None:
        return _layers(module, form, x, before, lengths, packed)
    with torch.no_grad(), watching(recorder := Recorder(module)):
        y, after = _layers(module, form, x, before, lengths, packed)
    found.update({path: zero_padding(value, lengths) for path, value in recorder.take().items()})
    return y, after


def _layers(
    module: nn.Module,
    form: Form,
    x: Tensor,
    before: tuple[Tensor, ...] | None,
    lengths: Tensor | None,
    packed: Packed | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``x`` (N, L, I) through all layers, from a state (K·D, N, ·) or ``None`` for zeros."""
    after: list[State] = []
    for layer in range(form.num_layers):
        if layer > 0 and module.training and form.dropout > 0:
            x = _drop(x, form.dropout, packed)
        ys = []
        for direction in range(form.directions):
            cell = _view(module, form, layer, direction)
            state = None if before is None else form.state([part[len(after)] for part in before])
            y, last = unroll(cell, x, lengths, state, reverse=direction == 1, recompute=form.recompute)
            ys.append(y)
            after.append(last)
        x = torch.cat(ys, 2) if form.bidirectional else ys[0]
    return x, tuple(torch.stack(parts) for parts in zip(*after, strict=True))


def _drop(y: Tensor, share: float, packed: Packed | None) -> Tensor:
    """Dropout with random numbers in torch's order: over the packed data, or time first."""
    if packed is not None:
        return packed.pad(dropout(packed.data(y), share))
    return dropout(y.transpose(0, 1).contiguous(), share).transpose(0, 1)


def _checked_state(
    form: Form, state: tuple[Tensor, ...] | None, x: Tensor, owner: str, batched: bool
) -> tuple[Tensor, ...]:
    """The state before ``x`` (N, L, I), each part (K·D, N, ·); zeros for ``None``."""
    layers = form.num_layers * form.directions
    if state is None:
        return tuple(x.new_zeros(layers, x.shape[0], width) for width in form.state_widths())
    names = "hc" if form.kernel == "lstm" else "h"
    if isinstance(state, Tensor) or len(state) != len(names) or not all(isinstance(part, Tensor) for part in state):
        what = "(h_0, c_0), a tuple of two tensors" if form.kernel == "lstm" else "one tensor"
        raise ShapeError(f"{owner}: hx must be {what}")
    for name, part, width in zip(names, state, form.state_widths(), strict=True):
        expected = (layers, x.shape[0], width) if batched else (layers, width)
        if part.shape != expected or part.dtype != x.dtype or part.device != x.device:
            raise ShapeError(
                f"{owner}: {name}_0 is {tuple(part.shape)} {part.dtype} on {part.device}, expected {expected} "
                f"{x.dtype} on {x.device} for input with {x.shape[0]} rows"
            )
    return state if batched else tuple(part.unsqueeze(1) for part in state)


def _as_tensor(lengths: Lengths, owner: str) -> Tensor | None:
    if lengths is None or isinstance(lengths, Tensor):
        return lengths
    try:
        tensor = torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ShapeError(f"{owner}: lengths must be integers, one for each row, got {lengths!r:.80}") from None
    return tensor if tensor.numel() else tensor.to(torch.int64)
