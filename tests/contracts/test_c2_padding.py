"""C2: padding is inert, exactly: whatever lies there changes no output, no state and no gradient."""

from __future__ import annotations

import pytest
from contracts.members import MEMBERS

from unrolled.testing import layers
from unrolled.testing.subject import Subject


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_what_lies_in_the_padding_is_not_looked_at(member: Subject) -> None:
    layers.padding(member)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_the_final_state_is_the_one_after_the_last_real_step(member: Subject) -> None:
    layers.final_state(member)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_lengths_that_pad_nothing_change_nothing(member: Subject) -> None:
    layers.full_lengths(member)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_batch_of_empty_rows_and_an_empty_batch(member: Subject) -> None:
    layers.empty_rows(member)
