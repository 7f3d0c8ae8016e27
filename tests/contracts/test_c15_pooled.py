"""C15: a step of many sessions together is the step of each of them: models, and the encoding of what is pushed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from contracts import networks
from contracts.test_encodings import PAIRS
from hypothesis import given, settings
from hypothesis import strategies as st
from live_sessions import PUSHES, network_and_task

from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.facets import Together
from unrolled.data.examples.live_row import LiveRow
from unrolled.errors import DataError
from unrolled.models.slots import LivePool, PackedPool
from unrolled.state import flatten, split
from unrolled.testing.subject import same

ROUNDS = [[1, 0], [1], [0, 2, 3], [3], [3, 2, 1, 0], [2]]  # the slots that step together


@pytest.mark.parametrize("case", networks.CAUSAL)
def test_the_rows_of_a_network_are_stepped_together(case: networks.Case) -> None:
    network = case.network()
    inputs = case.inputs([6, 6, 6, 6])
    pool, alone, taken = network.pool(), [network.session() for _ in range(4)], [0] * 4
    first = pool.read(np.zeros(1, np.int64))
    pool.grow(2)
    for number, slots in enumerate(ROUNDS):
        if number == 2:
            pool.grow(4)
        if number in (0, 2):
            pool.write(np.arange(2) + number, first)
        at = torch.tensor(slots)
        each = torch.tensor([taken[slot] for slot in slots])
        now = {name: value[at, each] if networks.timed(network, name) else value[at] for name, value in inputs.items()}
        found = pool.run(at.numpy(), now, [np.arange(len(slots))])
        wanted = [alone[s].push({name: value[n : n + 1] for name, value in now.items()}) for n, s in enumerate(slots)]
        _agree(pool, found, torch.cat(wanted), case.tolerance)
        for slot in slots:
            taken[slot] += 1
    for slot, session in enumerate(alone):
        own, other = pool.read(np.array([slot])), session.state
        same(dict(flatten(own)), dict(flatten(other)), case.tolerance)


def _agree(pool: LivePool, found: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    if isinstance(pool, PackedPool):
        assert torch.equal(found, wanted)
    else:
        same({"y": found}, {"y": wanted}, tolerance)


@pytest.mark.parametrize("name", ["gru", "mlp", "transformer"])
def test_several_steps_of_a_row_are_taken_in_rounds(name: str) -> None:
    case = networks.Case(name, "all", "last")
    network, inputs = case.network(), case.inputs([5, 5])
    pool, alone = network.pool(), [network.session() for _ in range(2)]
    first = pool.read(np.zeros(1, np.int64))
    pool.grow(2)
    pool.write(np.arange(2), first)
    rows, steps = torch.tensor([1, 0, 1, 1]), torch.tensor([0, 0, 1, 2])
    now = {key: value[rows, steps] if networks.timed(network, key) else value[rows] for key, value in inputs.items()}
    found = pool.run(rows.numpy(), now, [np.array([0, 1]), np.array([2]), np.array([3])])
    wanted = [alone[row].push({key: value[n : n + 1] for key, value in now.items()}) for n, row in enumerate(rows)]
    _agree(pool, found, torch.cat(wanted), case.tolerance)


def test_a_row_keeps_nothing_of_longer_ones() -> None:
    network = networks.Case("transformer", "discrete", None).network()
    long, short = network.session(), network.session()
    for _ in range(5):
        long.push({"ids": torch.tensor([1])})
    short.push({"ids": torch.tensor([2])})
    pool = network.pool()
    pool.grow(2)
    for slot, session in enumerate((long, short)):
        pool.write(np.array([slot]), session.state)
    for slot, row in enumerate(split(pool.read(np.arange(2)))):
        own, wanted = dict(flatten(row)), dict(flatten((long, short)[slot].state))
        assert all(torch.equal(own[name], wanted[name]) for name in wanted)


_TEXTS = st.one_of(
    st.text(max_size=4), st.sampled_from(["a", "b", "7", "nan", "?", "1,5", "2024-01-31", "\ud800", "A"])
)
_ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), _TEXTS)
_CELLS = st.one_of(_ODD, st.lists(_ODD, max_size=3), st.builds(dict))


@pytest.mark.parametrize(("kind", "sample"), PAIRS)
@settings(max_examples=12, deadline=None)
@given(drawn=st.lists(_CELLS, max_size=6), data=st.data())
def test_values_are_encoded_together_as_one_by_one(kind: Any, sample: Any, drawn: list[Any], data: Any) -> None:
    encoding = kind.fit(pa.chunked_array([sample.train]), kind.Options(), Role(), Where("memory", "x"))
    if not isinstance(encoding, Together):
        return
    cells = [step for cell in pa.chunked_array([sample.later]).to_pylist() for step in _steps(cell)]
    values = data.draw(st.permutations([*cells[:4], *drawn]))
    found, known = encoding.encode_together(values)
    assert len(found) == len(known) == len(values)
    for value, one, is_known in zip(values, found, known, strict=True):
        if is_known:
            (wanted,), _ = encoding.encode_live(value, (), Where("memory", "x"))
            assert one.dtype == wanted.dtype
            assert np.array_equal(one, wanted)


def _steps(cell: Any) -> list[Any]:
    return cell if isinstance(cell, list) else [cell]


@pytest.mark.parametrize("sample", PUSHES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_live_rows_are_encoded_together_as_one_by_one(sample: str, data: Any) -> None:
    row = LiveRow(network_and_task(sample)[1].coder)
    names = [*row.coder.inputs, *row.coder.joined]
    good = PUSHES[sample]
    odd = st.one_of(_CELLS, st.dictionaries(st.sampled_from(names), _CELLS))
    values = data.draw(st.lists(st.one_of(st.sampled_from(good), odd), max_size=6))
    found = row.encode_many(values, [{}] * len(values))
    for item, value in enumerate(values):
        of = found.item == item
        try:
            steps, after = row.encode(value)
        except DataError as error:
            assert str(found.refused[item]) == str(error)
            assert not of.any()
            continue
        assert found.after.get(item, {}) == after
        for name in steps[0]:
            wanted = np.stack([step[name] for step in steps])
            assert found.inputs[name].dtype == wanted.dtype
            assert np.array_equal(found.inputs[name][of], wanted, equal_nan=True)
