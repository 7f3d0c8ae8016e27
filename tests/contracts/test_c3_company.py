"""C3: company and order do not matter: a row alone = in any batch, in any order."""

from __future__ import annotations

import pytest
import torch
from contracts.members import MEMBERS, Member, everything, rows, same

from unrolled.state import select

T = 8
LENGTHS = torch.tensor([8, 3, 5, 0, 8, 1])


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_row_alone(member: Member) -> None:
    model, x = member.make(), rows(len(LENGTHS), T)
    with torch.no_grad():
        together = everything(*model(x, LENGTHS))
        for row in range(len(LENGTHS)):
            only = slice(row, row + 1)
            same(
                everything(*model(x[only], LENGTHS[only])),
                {k: part[only] for k, part in together.items()},
                member.tolerance,
            )


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_in_any_order(member: Member) -> None:
    model, x = member.make(), rows(len(LENGTHS), T)
    order = torch.tensor([5, 2, 0, 4, 1, 3])
    with torch.no_grad():
        y, state = model(x, LENGTHS)
        same(everything(*model(x[order], LENGTHS[order])), everything(y[order], select(state, order)), member.tolerance)
