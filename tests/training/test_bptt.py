from __future__ import annotations

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Discrete
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.plans.windows import Lanes, Rows
from unrolled.models.network import Network
from unrolled.state import flatten
from unrolled.training.bptt import TruncatedBPTT

LENGTHS = [13, 5, 8, 1]


def network(name: str = "lstm") -> Network:
    torch.manual_seed(0)
    return Network({"ids": Discrete(4)}, model_config(name=name, hidden=3, layers=2, window=3), 4, False).double()


def examples(rows: list[list[int]] | None = None) -> Examples:
    if rows is None:
        random = np.random.default_rng(1)
        rows = [random.integers(0, 4, n).tolist() for n in LENGTHS]
    ids = Encoded(np.concatenate(rows).astype(np.uint8), np.cumsum([0, *map(len, rows)]))
    return Examples({"ids": ids}, {"ids": Discrete(4)}, ids, Discrete(4), Aligned())


def loader(part: Examples, lanes: int, window: int) -> Loader:
    return Loader(part, Lanes(part.steps(), lanes, window))


def by_row(carry: TruncatedBPTT, batches: Loader) -> dict[tuple[int, int], Tensor]:
    """(row, step) -> the output there, over all batches in order."""
    found = {}
    for index in range(len(batches)):
        outputs, batch = carry.run(batches, index, "cpu")
        segments = batches.plan[index]
        for lane, (row, start, length) in enumerate(
            zip(batch.rows.tolist(), segments.starts.tolist(), batch.lengths.tolist(), strict=True)
        ):
            found |= {(row, start + step): outputs[lane, step].detach() for step in range(length)}
    return found


def test_rows_that_are_whole_carry_nothing() -> None:
    part, model = examples(), network()
    carry = TruncatedBPTT(model)
    outputs, batch = carry.run(Loader(part, Rows(part.steps(), 4)), 0, "cpu")
    assert torch.equal(outputs, model(batch.inputs, batch.lengths)[0])
    assert carry.state is None


@pytest.mark.parametrize("chunks", [1, 2, 5])
def test_the_state_that_is_kept_is_the_one_before_the_oldest_chunk(chunks: int) -> None:
    part, model = examples([[0, 1, 2, 3] * 4]), network()
    batches, carry = loader(part, 1, 2), TruncatedBPTT(model, chunks)
    for index in range(len(batches)):
        carry.run(batches, index, "cpu")
        before = max(0, index - chunks + 2) * 2  # steps that the next batch need not run again
        ids = torch.from_numpy(part.inputs["ids"].values[:before].astype(np.int64))[None]
        if before == 0:
            assert carry.state is None
            continue
        _, expected = model({"ids": ids}, torch.tensor([before]))
        for (_, a), (_, b) in zip(flatten(carry.state), flatten(expected), strict=True):
            assert torch.allclose(a, b, atol=1e-12)
            assert not a.requires_grad


def test_restarting_forgets() -> None:
    part, model = examples(), network()
    batches, carry = loader(part, 2, 4), TruncatedBPTT(model)
    first, _ = carry.run(batches, 0, "cpu")
    carry.run(batches, 1, "cpu")
    carry.restart()
    assert torch.equal(carry.run(batches, 0, "cpu")[0], first)


def test_a_state_that_is_not_finite_is_not_carried() -> None:
    part, model = examples([[0, 1, 2, 3] * 4]), network()
    batches, carry = loader(part, 1, 4), TruncatedBPTT(model)
    carry.run(batches, 0, "cpu")
    before = carry.state
    good = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model.columns.embeddings[0].weight.fill_(torch.nan)
    outputs, _ = carry.run(batches, 1, "cpu")
    assert outputs.isnan().any()
    assert carry.state is before
    model.load_state_dict(good)
    assert carry.run(batches, 2, "cpu")[0].isfinite().all()
