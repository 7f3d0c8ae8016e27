from __future__ import annotations

import pytest
import torch
from looking import looked_at

from unrolled.batch import Batch
from unrolled.inspection.prefixes import Prefixes


def answers(prefixes: Prefixes, ends: list[int]) -> list[torch.Tensor]:
    return [outputs[row] for outputs, batch in prefixes.answered(ends) for row in range(len(batch.rows))]


@pytest.mark.parametrize("model", ["gru", "bigru"])
def test_the_answer_after_some_steps_is_that_of_a_row_that_ends_there(model: str) -> None:
    looked = looked_at("classify", row=4, model=model)
    prefixes = looked.prefixes
    assert prefixes is not None and prefixes.steps == 9
    short, whole = answers(prefixes, [4, 9])
    torch.testing.assert_close(whole, looked.trace.outputs)
    inputs = {
        name: value[:, :4] if value.dim() > 1 and value.shape[1] == 9 else value
        for name, value in looked.batch.inputs.items()
    }
    cut = Batch(inputs, torch.tensor([4]), looked.batch.rows)
    with torch.no_grad():
        torch.testing.assert_close(short, prefixes.network.run(cut)[0][0])


def test_many_ends_are_read_in_several_batches() -> None:
    prefixes = looked_at("regress", row=4).prefixes
    assert prefixes is not None
    ends = [1 + n % prefixes.steps for n in range(70)]
    found = list(prefixes.answered(ends))
    assert [end for _, batch in found for end in batch.lengths.tolist()] == ends
    assert len(found) > 1 and all(batch.target is None for _, batch in found)
