"""C1: step by step = any chunking = the whole sequence; and a model that reads the future refuses to stream."""

from __future__ import annotations

import pytest
import torch
from contracts.members import CAUSAL, MEMBERS, Member, everything, rows, same

from unrolled.errors import UsageError

T = 12
LENGTHS = torch.tensor([12, 7, 1, 0])


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_step_by_step(member: Member) -> None:
    model, x = member.make(), rows(3, T)
    with torch.no_grad():
        whole = everything(*model(x))
        state, ys = model.initial_state(3, x), []
        for t in range(T):
            y, state = model.step(x[:, t], state)
            ys.append(y)
    same(everything(torch.stack(ys, 1), state), whole, member.tolerance)


@pytest.mark.parametrize("chunks", [[1] * T, [5, 7], [0, 3, 1, 0, 8], [11, 1]], ids=str)
@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_in_chunks_with_lengths(member: Member, chunks: list[int]) -> None:
    """Rows end in the middle of a chunk, and are empty in the ones after."""
    model, x = member.make(), rows(len(LENGTHS), T)
    with torch.no_grad():
        whole = everything(*model(x, LENGTHS))
        state, ys, begin = None, [], 0
        for size in chunks:
            y, state = model(x[:, begin : begin + size], (LENGTHS - begin).clamp(0, size), state)
            ys.append(y)
            begin += size
    same(everything(torch.cat(ys, 1), state), whole, member.tolerance)


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_a_thousand_steps(member: Member) -> None:
    model, x = member.make(), rows(2, 1000)
    with torch.no_grad():
        whole = everything(*model(x))
        state, ys = model.initial_state(2, x), []
        for chunk in x.split(17, 1):
            y, state = model(chunk, None, state)
            ys.append(y)
    same(everything(torch.cat(ys, 1), state), whole, 1e-5)


@pytest.mark.parametrize("member", [member for member in MEMBERS if member not in CAUSAL], ids=str)
def test_what_reads_the_future_refuses_and_says_why(member: Member) -> None:
    model, x = member.make(), rows(2, T)
    why = r"reads each row from its end as well, so it cannot answer step by step or in chunks: .* without 'bi'"
    with pytest.raises(UsageError, match=why):
        model.step(x[:, 0], model.initial_state(2, x))
    with pytest.raises(UsageError, match=why):
        model(x, None, model.initial_state(2, x))
