"""C1: step by step = any chunking = the whole sequence; and a model that reads the future refuses to stream."""

from __future__ import annotations

import pytest
from contracts.members import CAUSAL, OTHERS

from unrolled.errors import UsageError
from unrolled.testing import layers
from unrolled.testing.subject import Subject, rows


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_step_by_step(member: Subject) -> None:
    layers.step_by_step(member)


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_in_chunks_with_lengths(member: Subject) -> None:
    layers.in_chunks(member)


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_a_thousand_steps(member: Subject) -> None:
    layers.over_many_steps(member)


@pytest.mark.parametrize("member", OTHERS, ids=str)
def test_what_reads_the_future_refuses_and_says_why(member: Subject) -> None:
    layers.refuses_to_stream(member)
    model = member.make()
    x = rows(model, 2, 3)
    why = r"sees later steps, so it cannot run step by step or in chunks: .* without 'bi'"
    with pytest.raises(UsageError, match=why):
        model.step(x[:, 0], model.initial_state(2, x))
