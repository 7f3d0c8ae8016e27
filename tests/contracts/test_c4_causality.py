"""C4: a causal model does not see the future: changing x_{t+1:} leaves y_{<=t} as it is, to the bit."""

from __future__ import annotations

import pytest
from contracts.members import CAUSAL, OTHERS

from unrolled.testing import layers
from unrolled.testing.subject import Subject


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_the_future_is_not_seen(member: Subject) -> None:
    layers.the_future_is_not_seen(member)


@pytest.mark.parametrize("member", OTHERS, ids=str)
def test_what_is_not_called_causal_does_see_it(member: Subject) -> None:
    layers.the_future_is_seen(member)
