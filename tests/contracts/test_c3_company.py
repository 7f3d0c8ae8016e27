"""C3: company and order do not matter: a row alone = in any batch, in any order."""

from __future__ import annotations

import pytest
from contracts.members import MEMBERS

from unrolled.testing import layers
from unrolled.testing.subject import Subject


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_row_alone(member: Subject) -> None:
    layers.alone(member)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_in_any_order(member: Subject) -> None:
    layers.in_any_order(member)
