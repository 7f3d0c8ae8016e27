"""C14: an exported model gives the model's answers: whole, in chunks, step by step, with lengths, in its own runtime.

A new cell or layer is in without asking: one that has neither a graph nor equations fails here.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contracts.members import MEMBERS
from contracts.networks import CASES, COLUMNS, Case, part
from exported import apart, exported_layer, exported_network

from unrolled.errors import UsageError
from unrolled.state import map_state
from unrolled.testing.subject import Subject, rows

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

CLOSE = 1e-5
LENGTHS = [[7, 2, 5, 0], [3, 3, 3, 3], [0, 1, 0, 2], [0, 0, 0, 0], [1, 1, 1, 1]]  # one chunk after another
REFUSED = {"own cell", "own cell, both directions", "mixed cells"}  # without equations; see `test_…_says_what_to_do`
LAYERS = [one for one in MEMBERS if not one.name.endswith("-1") and one.name not in REFUSED]
NETWORKS = [case for (case,) in (one.values for one in CASES) if case.model in ("gru", "bilstm")]


@pytest.mark.parametrize("subject", LAYERS, ids=str)
def test_a_layer_gives_the_same_in_chunks_of_any_lengths(subject: Subject) -> None:
    layer = subject.make()
    run, state = exported_layer(layer), layer.initial_state(4, torch.zeros(())) if layer.causal else None
    for seed, lengths in enumerate(LENGTHS):
        x, counts = rows(layer, 4, max(1, *lengths), seed), torch.tensor(lengths)
        nan = torch.arange(x.shape[1]) >= counts[:, None]
        x[nan] = torch.nan
        with torch.no_grad():
            wanted = layer(x, counts, state)
        found = run({"x": x}, counts, state)
        assert apart(found, wanted if layer.causal else (wanted[0], None)) <= CLOSE, lengths
        assert (found[0][nan] == 0).all()
        state = wanted[1] if layer.causal else None


@pytest.mark.parametrize("subject", [one for one in LAYERS if one.build().causal], ids=str)
def test_step_by_step_is_the_whole_in_its_own_runtime(subject: Subject) -> None:
    layer = subject.make()
    run, x = exported_layer(layer), rows(layer, 2, 6)
    first = _random(layer.initial_state(2, torch.zeros(())))
    whole, after = run({"x": x}, torch.tensor([6, 6]), first)
    state, steps = first, []
    for t in range(6):
        y, state = run({"x": x[:, t : t + 1]}, torch.tensor([1, 1]), state)
        steps.append(y)
    assert apart((torch.cat(steps, 1), state), (whole, after)) <= CLOSE


@pytest.mark.parametrize("case", NETWORKS, ids=str)
def test_a_network_with_every_kind_of_column_and_pooling(case: Case) -> None:
    network, pooled = case.network(), case.pool is not None
    run = exported_network(network, COLUMNS[case.columns], 3, pooled)
    state = network.initial_state(4) if network.causal else None
    for lengths in LENGTHS:
        inputs, counts = case.inputs(lengths, max(1, *lengths)), torch.tensor(lengths)
        for name, value in inputs.items():
            if name == "x":
                value[torch.arange(value.shape[1]) >= counts[:, None]] = torch.nan
        with torch.no_grad():
            wanted = network(inputs, counts, state)
        found = run(inputs, counts, state)
        assert apart(found, wanted if network.causal else (wanted[0], None)) <= CLOSE, lengths
        state = wanted[1] if network.causal else None


@pytest.mark.parametrize("subject", LAYERS, ids=str)
def test_a_row_alone_is_that_row_in_a_batch_in_its_own_runtime(subject: Subject) -> None:
    layer = subject.make()
    run, x, lengths = exported_layer(layer), rows(layer, 3, 6), torch.tensor([6, 2, 4])
    first = layer.initial_state(3, torch.zeros(())) if layer.causal else None
    alone = layer.initial_state(1, torch.zeros(())) if layer.causal else None
    together, _ = run({"x": x}, lengths, first)
    for row, length in enumerate(lengths.tolist()):
        y, _ = run({"x": x[row : row + 1, :length]}, torch.tensor([length]), alone)
        assert apart((y[0], None), (together[row, :length], None)) <= CLOSE


def test_side_sequences_are_given_with_the_first_step_and_kept() -> None:
    case = next(case for case in NETWORKS if case.model == "gru" and case.columns == "sides" and case.pool is None)
    network, lengths = case.network(), [4, 4, 4]
    inputs, run = case.inputs(lengths), exported_network(case.network(), COLUMNS["sides"], 3, False)
    whole, _ = run(inputs, torch.tensor(lengths), network.initial_state(3))
    later = part(inputs, network, 1, 4) | {n: torch.zeros_like(v) for n, v in inputs.items() if n.endswith("\0lengths")}
    first, state = run(part(inputs, network, 0, 1), torch.ones(3, dtype=torch.int64), network.initial_state(3))
    second, _ = run(later, torch.tensor([3, 3, 3]), state)
    assert apart((torch.cat([first, second], 1), None), (whole, None)) <= CLOSE


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_cell_without_equations_says_what_to_do(name: str) -> None:
    layer = next(one for one in MEMBERS if one.name == name).make()
    with pytest.raises(UsageError, match="it has no equations. Declare its `equations` and `products`"):
        exported_layer(layer)


def _random(state: Any) -> Any:
    """A state that could have come about; caches stay empty, since their steps must fit their keys."""
    random = torch.Generator().manual_seed(9)
    return map_state(
        lambda t: torch.rand(t.shape, generator=random) - 0.5 if t.is_floating_point() else t,
        state,
    )
