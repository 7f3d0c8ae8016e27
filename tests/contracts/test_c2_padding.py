"""C2: padding is inert, exactly: whatever lies there changes no output, no state and no gradient."""

from __future__ import annotations

import pytest
import torch
from contracts.members import MEMBERS, Member, ends, everything, gradients, rows, same

T = 9
LENGTHS = torch.tensor([9, 4, 1, 0, 8])
PADDED = torch.arange(T) >= LENGTHS.unsqueeze(1)  # (B, T)


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), 1e30], ids=str)
@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_what_lies_in_the_padding_is_not_looked_at(member: Member, junk: float) -> None:
    model = member.make()

    def run(padding: float) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        x = rows(len(LENGTHS), T).masked_fill(PADDED.unsqueeze(2), padding).requires_grad_()
        y, state = model(x, LENGTHS)
        return everything(y, state), gradients(ends(y, state), model, x)

    (found, found_gradients), (expected, expected_gradients) = run(junk), run(0.0)
    same(found, expected, 0)
    same(found_gradients, expected_gradients, 0)
    assert not found["y"][PADDED].any()
    assert not found_gradients["input 0"][PADDED].any()
    assert all(gradient.isfinite().all() for gradient in found_gradients.values())


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_the_final_state_is_the_one_after_the_last_real_step(member: Member) -> None:
    """The same row with no padding at all, in both directions."""
    model, x = member.make(), rows(len(LENGTHS), T)
    with torch.no_grad():
        padded = everything(*model(x, LENGTHS))
        for row, length in enumerate(LENGTHS.tolist()):
            bare = everything(*model(x[row : row + 1, :length]))
            found = {name: part[row : row + 1] for name, part in padded.items()}
            found["y"] = found["y"][:, :length]
            same(found, bare, member.tolerance)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_lengths_that_pad_nothing_change_nothing(member: Member) -> None:
    model, x = member.make(), rows(3, T)
    same(everything(*model(x, torch.full((3,), T))), everything(*model(x)), 0)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_a_batch_of_empty_rows_and_an_empty_batch(member: Member) -> None:
    model = member.make()
    y, state = model(rows(2, T), torch.zeros(2, dtype=torch.int64))
    before = everything(y, model.initial_state(2, y))
    same(everything(y, state), {**before, "y": torch.zeros_like(y)}, 0)
    assert model(rows(0, T), torch.zeros(0, dtype=torch.int64))[0].shape == (0, T, model.output_size)
    assert model(rows(2, 0))[0].shape == (2, 0, model.output_size)
