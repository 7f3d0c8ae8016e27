"""Words read by their letters: against the sum written out, and what padding is worth."""

from __future__ import annotations

import pytest
import torch

from unrolled.batch import Spelled
from unrolled.errors import ShapeError
from unrolled.layers.embed import embed
from unrolled.layers.letters import WordLetters


def letters(width: int = 5, size: int = 9, gain: float = 1.0) -> WordLetters:
    torch.manual_seed(3)
    found = embed(Spelled(size, width, "text"), gain=gain)
    assert isinstance(found, WordLetters)
    return found


def test_a_word_is_the_largest_answer_of_each_filter() -> None:
    module, word = letters(), [4, 2, 7]
    table, zero = module.letters.weight, torch.zeros(25)
    places = [zero, *(table[id_] for id_ in word), zero]
    seen = [torch.cat(places[at : at + 3]) for at in range(3)]
    wanted = torch.stack([module.filters.weight @ one + module.filters.bias for one in seen]).amax(0)
    torch.testing.assert_close(module(torch.tensor([[*word, 0, 0]]))[0], wanted)
    torch.testing.assert_close(letters(gain=3.0)(torch.tensor([[*word, 0, 0]]))[0], 3 * wanted)


def test_padding_is_never_counted() -> None:
    torch.testing.assert_close(letters(5)(torch.tensor([[3, 4, 0, 0, 0]])), letters(2)(torch.tensor([[3, 4]])))
    assert not letters()(torch.zeros(2, 3, 5, dtype=torch.int64)).any()


def test_padding_learns_nothing() -> None:
    module = letters()
    module(torch.tensor([[[3, 4, 0, 0, 0], [0, 0, 0, 0, 0]]])).sum().backward()
    gradient = module.letters.weight.grad
    assert gradient is not None and not gradient[0].any() and gradient[3].any()
    assert torch.isfinite(gradient).all()


def test_a_step_is_read_as_in_a_row() -> None:
    ids = torch.randint(9, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    module = letters()
    torch.testing.assert_close(module(ids)[:, 2], module(ids[:, 2]))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(2, 3, 4, dtype=torch.int64), r"x has shape \(2, 3, 4\), expected \(B, T, 5\) or \(B, 5\)"),
        (torch.zeros(5, dtype=torch.int64), r"x has shape \(5,\)"),
        (torch.full((1, 5), 9), "is 9, expected 0 … 8"),
        (torch.zeros(1, 5), "expected integers"),
    ],
)
def test_what_are_no_letters_is_refused(ids: torch.Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        letters()(ids)
