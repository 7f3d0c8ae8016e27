"""C1 to C5 over every whole network: whole = chunks = steps, padding is inert, company does not matter, no future."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from contracts.networks import CASES, CAUSAL, Case, at, padding, part, whole
from torch import Tensor

from unrolled.errors import UsageError
from unrolled.models.network import Network
from unrolled.state import select
from unrolled.testing.subject import everything, gradients, same

LENGTHS = [6, 1, 9, 0, 4, 9]
STEP = 1e-7  # of finite differences in float64


def chunks(network: Network, inputs: dict[str, Tensor], lengths: list[int], cuts: list[int]) -> tuple[Tensor, Any]:
    """Chunk by chunk; the outputs of the chunks side by side, or those of the last one."""
    state, outputs = None, []
    for start, stop in zip([0, *cuts], [*cuts, max(lengths)], strict=True):
        here = (torch.tensor(lengths) - start).clamp(0, stop - start)
        with torch.no_grad():
            y, state = network(part(inputs, network, start, stop), here, state)
        outputs.append(y)
    return (outputs[-1] if network.pooling else torch.cat(outputs, 1)), state


# --- C1 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CAUSAL)
def test_c1_any_chunking_is_the_whole(case: Case) -> None:
    network, inputs = case.network(), case.inputs(LENGTHS)
    expected = everything(*whole(network, inputs, LENGTHS))
    for cuts in ([5], [1, 2, 8], [3, 3, 6], list(range(1, 9))):
        same(everything(*chunks(network, inputs, LENGTHS, cuts)), expected, case.tolerance)


@pytest.mark.parametrize("case", CAUSAL)
def test_c1_step_by_step_is_the_whole(case: Case) -> None:
    network, inputs = case.network(), case.inputs([9, 9, 9])
    outputs, last = whole(network, inputs, [9, 9, 9])
    state = network.initial_state(3)
    for step in range(9):
        with torch.no_grad():
            y, state = network.step(at(inputs, network, step), state)
        so_far = part(inputs, network, 0, step + 1)
        expected = whole(network, so_far, [step + 1] * 3)[0] if network.pooling else outputs[:, step]
        same({"y": y}, {"y": expected}, case.tolerance)
    same(everything(y, state), everything(y, last), case.tolerance)


@pytest.mark.parametrize("case", [param for param in CAUSAL if "all-" in str(param.id)])
def test_c1_holds_over_a_thousand_steps(case: Case) -> None:
    network, inputs = case.network(), case.inputs([1000, 1000])
    expected = everything(*whole(network, inputs, [1000, 1000]))
    same(everything(*chunks(network, inputs, [1000, 1000], [1, 137, 640])), expected, 1e-5)


@pytest.mark.parametrize("case", [param for param in CASES if param not in CAUSAL])
def test_c1_a_network_that_reads_the_future_refuses_to_step_and_says_why(case: Case) -> None:
    network, inputs = case.network(), case.inputs([3, 3])
    _, state = whole(network, inputs, [3, 3])
    assert not network.causal
    with pytest.raises(UsageError, match="sees later steps, so it cannot run step by step"):
        network.step(at(inputs, network, 0), state)
    with pytest.raises(UsageError, match="choose the same model without 'bi'"):
        network(inputs, torch.tensor([3, 3]), state)


# --- C2 ----------------------------------------------------------------------------------------------------------


def padded_with(inputs: dict[str, Tensor], network: Network, lengths: list[int], number: float) -> dict[str, Tensor]:
    """The same columns with ``number``, or an id that there is not, beyond each row's length."""
    changed = {name: value.clone() for name, value in inputs.items()}
    for name, own in padding(inputs, network, lengths).items():
        for row, length in enumerate(own):
            changed[name][row, length:] = number if changed[name].is_floating_point() else 10**12
    return changed


@pytest.mark.parametrize("case", CASES)
def test_c2_what_lies_beyond_a_row_changes_nothing(case: Case) -> None:
    network, inputs = case.network(), case.inputs(LENGTHS)

    def run(columns: dict[str, Tensor]) -> dict[str, Tensor]:
        columns = {n: v.clone().requires_grad_() if v.is_floating_point() else v for n, v in columns.items()}
        outputs, state = network(columns, torch.tensor(LENGTHS))
        reals = [value for value in columns.values() if value.requires_grad]
        return {**everything(outputs, state), **gradients(outputs.square().sum(), network, *reals)}

    expected = run(inputs)
    for number in (math.nan, 1e30):
        same(run(padded_with(inputs, network, LENGTHS, number)), expected, 0)


@pytest.mark.parametrize("case", [param for param in CASES if "per step" in str(param.id)])
def test_c2_outputs_beyond_a_row_are_zero(case: Case) -> None:
    outputs, _ = whole(case.network(), case.inputs(LENGTHS), LENGTHS)
    for row, length in enumerate(LENGTHS):
        assert not outputs[row, length:].any()
        assert outputs[row, :length].any() or length == 0


# --- C3 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_c3_a_row_alone_is_the_row_in_company(case: Case) -> None:
    network, inputs = case.network(), case.inputs(LENGTHS)
    outputs, state = whole(network, inputs, LENGTHS)
    for row, length in enumerate(LENGTHS):
        mine = {name: value[row : row + 1] for name, value in part(inputs, network, 0, max(1, length)).items()}
        expected = outputs[row : row + 1] if network.pooling else outputs[row : row + 1, : max(1, length)]
        same(
            everything(*whole(network, mine, [length])),
            everything(expected, select(state, torch.tensor([row]))),
            case.tolerance,
        )


@pytest.mark.parametrize("case", CASES)
def test_c3_the_order_of_rows_does_not_matter(case: Case) -> None:
    network, inputs = case.network(), case.inputs(LENGTHS)
    outputs, state = whole(network, inputs, LENGTHS)
    order = torch.tensor([4, 2, 0, 5, 3, 1])
    mixed = {name: value[order] for name, value in inputs.items()}
    found = everything(*whole(network, mixed, [LENGTHS[row] for row in order]))
    same(found, everything(outputs[order], select(state, order)), case.tolerance)


# --- C4 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [param for param in CAUSAL if "per step" in str(param.id)])
def test_c4_the_future_changes_nothing_before_it(case: Case) -> None:
    network, inputs = case.network(), case.inputs([9, 9])
    outputs, _ = whole(network, inputs, [9, 9])
    for step in range(1, 9):
        changed = {name: value.clone() for name, value in inputs.items()}
        for name, value in changed.items():
            if name in network.columns.specs and network.columns.specs[name].time:
                value[:, step:] = value[:, step:].flip(1).roll(1, 0) + 1 if value.is_floating_point() else 0
        found, _ = whole(network, changed, [9, 9])
        assert torch.equal(found[:, :step], outputs[:, :step])


@pytest.mark.parametrize("case", [param for param in CASES if param not in CAUSAL and "all-per step" in str(param.id)])
def test_c4_is_what_the_others_do_not_promise(case: Case) -> None:
    network, inputs = case.network(), case.inputs([9, 9])
    outputs, _ = whole(network, inputs, [9, 9])
    inputs["x"][:, 8] += 1
    assert not torch.equal(whole(network, inputs, [9, 9])[0][:, 0], outputs[:, 0])


# --- C5 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [param for param in CASES if "all-" in str(param.id) or "sides-" in str(param.id)])
def test_c5_gradients_are_those_of_finite_differences(case: Case) -> None:
    network = case.network(torch.float64)
    lengths = [3, 1, 0, 4]
    inputs = case.inputs(lengths, dtype=torch.float64)
    names = [name for name, _ in network.named_parameters()]
    reals = [name for name, value in inputs.items() if value.is_floating_point()]

    def run(values: list[Tensor]) -> Tensor:
        weights = dict(zip(names, values, strict=False))
        columns = {**inputs, **dict(zip(reals, values[len(names) :], strict=True))}
        return torch.func.functional_call(network, weights, (columns, torch.tensor(lengths)))[0]

    # Off their first values, where biases of 0 put relus into their corner, which has no derivative.
    random = torch.Generator().manual_seed(2)
    values = [p.detach() + 0.1 * torch.randn(p.shape, generator=random) for p in network.parameters()]
    values += [inputs[name] for name in reals]
    along = [torch.randn(value.shape, generator=random, dtype=value.dtype) for value in values]

    # One line through all weights and numbers: two runs. So small a tolerance misses none of them.
    outputs = run([value.requires_grad_() for value in values])
    toward = torch.randn(outputs.shape, generator=random, dtype=outputs.dtype)
    slopes = torch.autograd.grad(outputs, values, toward, materialize_grads=True)
    with torch.no_grad():
        ends = [run([v + sign * STEP * a for v, a in zip(values, along, strict=True)]) for sign in (1, -1)]
        found = float((toward * (ends[0] - ends[1])).sum()) / (2 * STEP)
        told = float(sum((slope * a).sum() for slope, a in zip(slopes, along, strict=True)))
    assert abs(found - told) <= 1e-7 * max(1.0, abs(found))


@pytest.mark.parametrize("case", CASES)
def test_c5_single_precision_is_close_to_double(case: Case) -> None:
    found = []
    for dtype in (torch.float32, torch.float64):
        network = case.network(dtype)  # the same weights, rounded once
        inputs = case.inputs(LENGTHS)
        inputs = {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}
        outputs, _ = network(inputs, torch.tensor(LENGTHS))
        found.append({name: part.double() for name, part in gradients(outputs.square().sum(), network).items()})
    same(*found, 1e-5)
