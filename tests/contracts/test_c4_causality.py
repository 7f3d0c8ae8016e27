"""C4: a causal model does not see the future: changing x_{t+1:} leaves y_{<=t} as it is, to the bit."""

from __future__ import annotations

import pytest
import torch
from contracts.members import CAUSAL, MEMBERS, Member, rows

T = 10


@pytest.mark.parametrize("t", [0, 4, T - 2])
@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_the_future_is_not_seen(member: Member, t: int) -> None:
    model, x = member.make(), rows(3, T)
    other = torch.cat([x[:, : t + 1], rows(3, T, seed=9)[:, t + 1 :]], 1)
    with torch.no_grad():
        y, changed = model(x)[0], model(other)[0]
    assert torch.equal(y[:, : t + 1], changed[:, : t + 1])
    assert not torch.equal(y, changed)


@pytest.mark.parametrize("member", [member for member in MEMBERS if member not in CAUSAL], ids=str)
def test_what_is_not_called_causal_does_see_it(member: Member) -> None:
    model, x = member.make(), rows(3, T)
    other = torch.cat([x[:, :-1], rows(3, T, seed=9)[:, -1:]], 1)
    assert not torch.equal(model(x)[0][:, 0], model(other)[0][:, 0])
