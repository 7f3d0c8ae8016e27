"""The contracts of a layer as functions: each takes a `Subject` and raises `Broken` if it does not hold.

Axes: B rows, T steps, I inputs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unrolled.errors import UsageError
from unrolled.layers.layer import Layer
from unrolled.layers.recurrence.layer_session import push_together
from unrolled.state import select
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.testing.report import require
from unrolled.testing.subject import Subject, ends, everything, gradients, rows, same

__all__ = [
    "alone",
    "contracts_of",
    "empty_rows",
    "final_state",
    "full_lengths",
    "gradient",
    "in_any_order",
    "in_chunks",
    "is_a_layer",
    "over_many_steps",
    "padding",
    "pushed",
    "pushed_together",
    "refuses_to_stream",
    "restored",
    "saved",
    "step_by_step",
    "the_future_is_not_seen",
    "the_future_is_seen",
]

Check = Callable[[Subject], None]
_LENGTHS = (9, 4, 1, 0, 8)
_T = 9


def contracts_of(subject: Subject) -> list[Check]:
    """The contracts for this layer; one that is not causal need not stream."""
    causal = [step_by_step, in_chunks, over_many_steps, the_future_is_not_seen, pushed, restored, pushed_together]
    checks = causal if subject.make().causal else [refuses_to_stream, the_future_is_seen]
    return [*checks, padding, final_state, full_lengths, empty_rows, alone, in_any_order, gradient, saved]


def is_a_layer(subject: Subject) -> None:
    """It can be built, and has every member of a layer; a subclass of `Layer` inherits most of them."""
    model = subject.make()
    parts = (*Layer.__annotations__, "step", "session", "initial_state")
    missing = [part for part in parts if not hasattr(model, part)]
    require(not missing, f"{type(model).__name__} has no {' and no '.join(missing)}")


def step_by_step(subject: Subject) -> None:
    """C1: step by step, a layer returns the same as over whole rows."""
    model = subject.make()
    x = rows(model, 3, _T)
    with torch.no_grad():
        whole = everything(*model(x))
        state, ys = model.initial_state(3, x), []
        for x_t in x.unbind(1):
            y, state = model.step(x_t, state)
            ys.append(y)
    same(everything(torch.stack(ys, 1), state), whole, subject.tolerance)


def in_chunks(subject: Subject) -> None:
    """C1: in chunks of any size, even where rows end inside one, a layer returns the same as over whole rows."""
    model, lengths = subject.make(), torch.tensor(_LENGTHS)
    x = rows(model, len(lengths), _T)
    with torch.no_grad():
        whole = everything(*model(x, lengths))
        for chunks in ([1] * _T, [4, 5], [0, 3, 1, 0, 5], [8, 1]):
            state, ys, begin = None, [], 0
            for size in chunks:
                y, state = model(x[:, begin : begin + size], (lengths - begin).clamp(0, size), state)
                ys.append(y)
                begin += size
            same(everything(torch.cat(ys, 1), state), whole, subject.tolerance)


def over_many_steps(subject: Subject) -> None:
    """C1: the same over a thousand steps."""
    model = subject.make()
    x = rows(model, 2, 1000)
    with torch.no_grad():
        whole = everything(*model(x))
        state, ys = model.initial_state(2, x), []
        for chunk in torch.split(x, 17, 1):
            y, state = model(chunk, None, state)
            ys.append(y)
    same(everything(torch.cat(ys, 1), state), whole, 1e-5)


def refuses_to_stream(subject: Subject) -> None:
    """C1: a layer that is not causal refuses a single step and a given state, with a `UsageError`."""
    model = subject.make()
    x = rows(model, 2, _T)
    state = model.initial_state(2, x)
    tries: dict[str, Callable[[], object]] = {
        "step": lambda: model.step(x[:, 0], state),
        "a state": lambda: model(x, None, state),
    }
    for what, run in tries.items():
        try:
            run()
        except UsageError:
            continue
        require(False, f"it is not causal, but {what} was not refused with a UsageError")


def padding(subject: Subject) -> None:
    """C2: the values of padding change no output, state or gradient, bit for bit."""
    model, lengths = subject.make(), torch.tensor(_LENGTHS)
    padded = torch.arange(_T) >= lengths.unsqueeze(1)  # (B, T)

    def run(value: float) -> dict[str, Tensor]:
        x = rows(model, len(lengths), _T).masked_fill(padded.unsqueeze(2), value).requires_grad_()
        y, state = model(x, lengths)
        return {**everything(y, state), **gradients(ends(y, state), model, x)}

    expected = run(0.0)
    for junk in (float("nan"), float("inf"), 1e30):
        found = run(junk)
        same(found, expected, 0)
        require(not found["y"][padded].any(), "outputs beyond a row's length are not 0")
        require(not found["the gradient of input 0"][padded].any(), "the padding has a gradient")
        for name, gradient in found.items():
            require("gradient" not in name or bool(gradient.isfinite().all()), f"{name} is not finite")


def final_state(subject: Subject) -> None:
    """C2: the final state is the one after the last real step, as for the same row without padding."""
    model, lengths = subject.make(), torch.tensor(_LENGTHS)
    x = rows(model, len(lengths), _T)
    with torch.no_grad():
        padded = everything(*model(x, lengths))
        for row, length in enumerate(_LENGTHS):
            bare = everything(*model(x[row : row + 1, :length]))
            found = {name: part[row : row + 1] for name, part in padded.items()}
            found["y"] = found["y"][:, :length]
            same(found, bare, subject.tolerance)


def full_lengths(subject: Subject) -> None:
    """C2: full lengths change nothing, bit for bit."""
    model = subject.make()
    x = rows(model, 3, _T)
    same(everything(*model(x, torch.full((3,), _T))), everything(*model(x)), 0)


def empty_rows(subject: Subject) -> None:
    """C2: empty rows return the initial state, and an empty batch returns no rows."""
    model = subject.make()
    y, state = model(rows(model, 2, _T), torch.zeros(2, dtype=torch.int64))
    before = everything(y, model.initial_state(2, y))
    same(everything(y, state), {**before, "y": torch.zeros_like(y)}, 0)
    for batch, steps, lengths in ((0, _T, torch.zeros(0, dtype=torch.int64)), (2, 0, None)):
        shape = model(rows(model, batch, steps), lengths)[0].shape
        expected = (batch, steps, model.output_size)
        require(shape == expected, f"x of shape {(batch, steps)} gives y of shape {tuple(shape)}, expected {expected}")


def alone(subject: Subject) -> None:
    """C3: a row returns the same alone as in any batch."""
    model, lengths = subject.make(), torch.tensor(_LENGTHS)
    x = rows(model, len(lengths), _T)
    with torch.no_grad():
        together = everything(*model(x, lengths))
        for row in range(len(lengths)):
            only = slice(row, row + 1)
            expected = {name: part[only] for name, part in together.items()}
            same(everything(*model(x[only], lengths[only])), expected, subject.tolerance)


def in_any_order(subject: Subject) -> None:
    """C3: the order of a batch's rows does not matter."""
    model, lengths, order = subject.make(), torch.tensor(_LENGTHS), torch.tensor([3, 2, 0, 4, 1])
    x = rows(model, len(lengths), _T)
    with torch.no_grad():
        y, state = model(x, lengths)
        found = everything(*model(x[order], lengths[order]))
        same(found, everything(y[order], select(state, order)), subject.tolerance)


def the_future_is_not_seen(subject: Subject) -> None:
    """C4: later inputs change no earlier output, bit for bit."""
    model = subject.make()
    x, others = rows(model, 3, _T), rows(model, 3, _T, seed=9)
    for t in (0, 4, _T - 2):
        with torch.no_grad():
            y, changed = model(x)[0], model(torch.cat([x[:, : t + 1], others[:, t + 1 :]], 1))[0]
        require(torch.equal(y[:, : t + 1], changed[:, : t + 1]), f"outputs up to step {t} depend on later inputs")
        require(not torch.equal(y, changed), f"outputs after step {t} do not depend on their inputs")


def the_future_is_seen(subject: Subject) -> None:
    """C4: in a layer that is not causal, later inputs do change earlier outputs."""
    model = subject.make()
    x, others = rows(model, 3, _T), rows(model, 3, _T, seed=9)
    changed = model(torch.cat([x[:, :-1], others[:, -1:]], 1))[0]
    require(
        not torch.equal(model(x)[0][:, 0], changed[:, 0]),
        "it is not causal, but its first output does not depend on later inputs",
    )


def gradient(subject: Subject) -> None:
    """C5: the gradients of outputs and final state with respect to the input and every weight are right in float64."""
    model = subject.make(torch.float64)
    names = [name for name, _ in model.named_parameters()]

    def run(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        found = torch.func.functional_call(model, dict(zip(names, weights, strict=True)), (x, torch.tensor([4, 2])))
        return tuple(part for part in everything(*found).values() if part.requires_grad)

    x = rows(model, 2, 4, dtype=torch.float64).requires_grad_()
    weights = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]
    torch.autograd.gradcheck(run, (x, *weights), fast_mode=True)


def saved(subject: Subject) -> None:
    """C8: saved and loaded weights return the same, bit for bit."""
    model, other = subject.make(), subject.build().eval()
    other.load_state_dict(load_tensors(save_tensors(dict(model.state_dict()))))
    x = rows(model, 3, _T)
    with torch.no_grad():
        same(everything(*other(x)), everything(*model(x)), 0)


def pushed(subject: Subject) -> None:
    """C1: a live session returns, push by push, the same as the layer over whole rows."""
    for dtype in (torch.float32, torch.float64):
        model = subject.make(dtype)
        x = rows(model, 3, _T, dtype=dtype)
        with torch.no_grad():
            whole, end = model(x)
        several, one = model.session(batch=3), model.session()
        ys = torch.stack([several.push(step) for step in x.unbind(1)], 1)
        same(everything(ys, several.steps.state), everything(whole, end), subject.tolerance)
        answers = [(y, y.clone()) for y in map(one.push, x[1])]
        same({"y": torch.stack([y for y, _ in answers])}, {"y": whole[1]}, subject.tolerance)
        require(all(torch.equal(y, then) for y, then in answers), "a later push changed an earlier answer")


def restored(subject: Subject) -> None:
    """C8: a snapshot continues a session bit for bit, in the same session and in another."""
    model = subject.make()
    x = rows(model, 2, _T)
    live, elsewhere = model.session(batch=2), model.session(batch=2)
    for step in x[:, :4].unbind(1):
        live.push(step)
    kept = live.snapshot()
    expected = [live.push(step) for step in x[:, 4:].unbind(1)]
    for session in (elsewhere, live):
        session.restore(kept)
        for step, y in zip(x[:, 4:].unbind(1), expected, strict=True):
            require(torch.equal(session.push(step), y), "after restore(snapshot) a push returns another answer")


def pushed_together(subject: Subject) -> None:
    """C3: many sessions in one call return the same as each alone, in any order."""
    model = subject.make()
    x = rows(model, 5, _T)
    apart, together = ([model.session() for _ in range(5)] for _ in range(2))
    for t in range(_T):
        mixed = [(k * 3 + t) % 5 for k in range(5 - t % 3)]  # different sessions each time, in another order
        expected = torch.stack([apart[k].push(x[k, t]) for k in mixed])
        found = push_together([together[k] for k in mixed], x[mixed, t])
        same({"y": found}, {"y": expected}, subject.tolerance)
