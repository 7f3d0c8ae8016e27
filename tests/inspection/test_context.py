"""The context curve finds how much context a model was built to use, and nothing in noise."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import unrolled as ur
from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.errors import DataError, UsageError
from unrolled.inspection.context import context_curve
from unrolled.runs.trained import Trained

QUICK: dict[str, Any] = {"start": "none", "blend": "none", "steps": 2, "hidden": 4, "quiet": True}


def parity(steps: int, seed: int = 0) -> str:
    """Bits of which each is the sum of the three before it, but for one in ten, which is turned."""
    chance, bits = np.random.default_rng(seed), [1, 0, 0]
    for turned in chance.random(steps) < 0.1:
        bits.append((sum(bits[-3:]) + int(turned)) % 2)
    return "".join("ab"[bit] for bit in bits)


class Planted(nn.Module):
    """Stands for a network; it sees the ids (B, T) and answers with logits."""

    causal, writes, longest_read = True, False, None
    columns, device = SimpleNamespace(timed=True), torch.device("cpu")

    def __init__(self, name: str, symbols: list[int], size: int) -> None:
        super().__init__()
        self.name, self.symbols, self.size = name, symbols, size

    def run(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        ids = batch.inputs[self.name]
        outputs = torch.full((*ids.shape, self.size), -20.0)
        chances = self.chances((ids == self.symbols[1]).long(), batch.lengths)
        for bit, symbol in enumerate(self.symbols):
            outputs[..., symbol] = torch.log(chances if bit else 1 - chances)
        return outputs, None

    def chances(self, bits: Tensor, lengths: Tensor) -> Tensor:
        """(B, T): how likely the next bit is 1; this one adds the last three bits, once it has three."""
        padded = torch.nn.functional.pad(bits, (2, 0))
        odd = (padded[:, 2:] + padded[:, 1:-1] + padded[:, :-2]) % 2
        known = torch.arange(bits.shape[1]) >= 2
        return torch.where(known, torch.where(odd == 1, 0.9, 0.1), torch.tensor(0.5))


class Confused(Planted):
    """After more than 21 steps it is sure of the wrong answer."""

    def chances(self, bits: Tensor, lengths: Tensor) -> Tensor:
        right = super().chances(bits, lengths)
        return torch.where(torch.arange(bits.shape[1]) >= 21, 1 - right, right)


class Worse(Planted):
    """With more than 21 steps every answer's loss is ``by`` nats higher: a wrong symbol has so much of the chances."""

    by = 0.001

    def run(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        outputs, _ = super().run(batch)
        wrong = next(symbol for symbol in range(self.size) if symbol not in self.symbols)
        outputs[:, 21:, wrong] = math.log(math.expm1(self.by))
        return outputs, None


class Guessing(Planted):
    """Answers by chance: whatever context is given, the next one is another guess."""

    seed = 0

    def chances(self, bits: Tensor, lengths: Tensor) -> Tensor:
        self.seed += 1
        return 0.2 + 0.6 * torch.rand(bits.shape, generator=torch.Generator().manual_seed(self.seed))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Examples]:
    folder = tmp_path_factory.mktemp("context")
    (folder / "bits.txt").write_text(parity(3_000))
    model = ur.fit(folder / "bits.txt", out=folder / "run", model="window", **QUICK)
    return model, model.encode(model.read(folder / "bits.txt"), target=True)


def planted(kind: type[Planted], text: tuple[Trained, Examples]) -> Any:
    task = text[0].task
    ids = task.coder.answer.encode_text("ab")[-2:].tolist()  # type: ignore[attr-defined]
    return kind(task.coder.target, ids, task.outputs)


def test_where_three_steps_matter_the_last_three_are_enough(text: tuple[Trained, Examples]) -> None:
    found = context_curve(planted(Planted, text), text[0].task, text[1])
    assert (found.useful, found.best, found.limit, found.answers) == (3, 3, None, 256)
    assert found.given[:7] == (1, 2, 3, 5, 8, 13, 21) and found.given[-1] == 1_000
    half = (255 * math.log(2) + 20) / 256  # the last answer is <end>, which it thinks impossible
    assert found.losses[:2] == pytest.approx((half, half), abs=1e-5)
    assert found.losses[2] == found.losses[-1] < 0.5
    assert found.gain == pytest.approx(found.losses[0] - found.losses[2], abs=1e-9)
    assert (found.harm, found.harm_error) == (0.0, 0.0)
    assert found.sentence.startswith(
        "the last 3 steps are enough: loss_nats_per_token is "
        f"{found.losses[2]:.4g} with them, 0.7686 with one step and {found.losses[2]:.4g} at best, with 3 of 1,000, "
        "over 256 answers"
    )


def test_where_more_steps_hurt_it_says_from_where(text: tuple[Trained, Examples]) -> None:
    found = context_curve(planted(Confused, text), text[0].task, text[1], window=16)
    assert (found.useful, found.best, found.limit) == (3, 3, 21)
    assert found.harm > 10 * found.harm_error > 0
    assert found.sentence.startswith("worse beyond 21 steps: loss_nats_per_token is ")
    assert "give at most 21 steps, or start from a fresh state every 21" in found.sentence
    assert found.sentence.endswith("it was trained in windows of 16 steps (bptt): train with longer ones")


@pytest.mark.parametrize(("by", "limit"), [(0.001, None), (0.05, 21)])
def test_a_sure_harm_is_told_only_if_it_is_worth_telling(
    text: tuple[Trained, Examples], by: float, limit: int | None
) -> None:
    network = planted(Worse, text)
    network.by = by
    found = context_curve(network, text[0].task, text[1])
    assert found.harm == pytest.approx(by, rel=0.1)
    assert found.harm > 10 * found.harm_error
    assert found.limit == limit
    assert found.sentence.startswith("worse beyond 21 steps" if limit else "the last 3 steps are enough")


def copies(rows: int, seed: int) -> list[str]:
    """Rows of 64 symbols, of which the second half is the first one again."""
    halves = np.random.default_rng(seed).integers(4, size=(rows, 32))
    return ["".join("abcd"[symbol] for symbol in half) * 2 for half in halves]


def test_a_delta_rule_that_was_trained_on_64_steps_is_told_to_be_worse_beyond(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**QUICK, "steps": 100, "hidden": 16, "layers": 1, "lr": 0.02, "batch": 16}
    rows = {"text": copies(200, seed=0)}
    model = ur.fit(rows, kinds={"text": "tokens"}, model="deltanet", out=tmp_path / "run", **settings)
    long = {"text": ["".join(copies(10, seed=1))]}
    found = context_curve(model.network, model.task, model.encode(model.read(long), target=True))
    assert found.limit in (34, 55)  # of 1, 2, 3, 5 … 34, 55, 89 …
    assert found.harm > max(0.1, 5 * found.harm_error)
    assert found.sentence.startswith(f"worse beyond {found.limit} steps: ")
    assert found.sentence.endswith("it was trained on whole sequences")


def test_noise_gives_no_verdict(text: tuple[Trained, Examples]) -> None:
    wrong = 0
    for seed in range(10):
        network = planted(Guessing, text)
        network.seed, network.longest_read = 1_000 * seed, 34
        found = context_curve(network, text[0].task, text[1])
        wrong += (found.limit is not None) + (found.gain > 2 * found.gain_error)
        if found.limit is None and found.gain <= 2 * found.gain_error:
            assert found.useful == 1
            assert found.sentence.startswith("more than the last step makes no sure difference")
    assert wrong <= 1


def test_a_window_model_is_flat_beyond_its_window(text: tuple[Trained, Examples]) -> None:
    model, examples = text
    found = context_curve(model.network, model.task, examples)
    beyond = [loss for k, loss in zip(found.given, found.losses, strict=True) if k >= 16]
    assert len(beyond) > 5
    assert max(beyond) - min(beyond) < 1e-6


def test_the_longest_context_of_whole_rows_is_the_ordinary_loss(tmp_path: Path) -> None:
    data = {"x": ["a good b", "bad c d e f g", "it is bad", "good"] * 10, "y": ["p", "n", "n", "p"] * 10}
    model = ur.fit(data, target="y", kinds={"x": "tokens"}, model="lstm", out=tmp_path / "run", **QUICK)
    found = context_curve(model.network, model.task, model.encode(model.read(data), target=True))
    assert found.given == (1, 2, 3, 5, 6)  # as many as the longest row has
    assert found.answers == 40
    assert found.losses[-1] == pytest.approx(model.evaluate(data)[model.task.watch], abs=1e-5)


def test_a_forecast_has_the_context_of_its_lookback(tmp_path: Path) -> None:
    data = {"load": [[math.sin(t / 3) for t in range(120)]]}
    model = ur.fit(data, target="load", horizon=2, lookback=20, model="gru", out=tmp_path / "run", **QUICK)
    found = context_curve(model.network, model.task, model.encode(model.read(data), target=True))
    assert found.given == (1, 2, 3, 5, 8, 13, 20)
    assert found.answers == 99  # windows of 20 steps that 2 more follow


def test_what_has_no_last_step_or_no_loss_of_one_says_why(tmp_path: Path) -> None:
    def refused(data: Any, **options: Any) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        model = ur.fit(data, out=folder, **options)
        examples = model.encode(model.read(data), target=True)
        with pytest.raises(UsageError) as error:
            context_curve(model.network, model.task, examples)
        return str(error.value)

    rows = {"x": ["a b c", "b c a"] * 20, "y": ["p", "n"] * 20}
    texts = {"x": "tokens"}
    assert refused(rows, target="y", kinds=texts, model="bigru", **QUICK).startswith(
        "this model reads every sequence in both"
    )
    solved = refused({"x": ["abcab"] * 30}, kinds=texts, only="ngram", quiet=True)
    assert solved.endswith("which is solved: only a network learns how much context to use")
    written = {"x": ["a b c", "b c a"] * 20, "y": ["c b a", "a c b"] * 20}
    assert refused(written, target="y", kinds=texts, task="translate", **QUICK).startswith(
        "the answer is a written sequence"
    )


def test_rows_of_one_step_have_no_context(tmp_path: Path) -> None:
    data = {"x": ["a", "b"] * 20, "y": ["p", "n"] * 20}
    model = ur.fit(data, target="y", kinds={"x": "tokens"}, model="lstm", out=tmp_path / "run", **QUICK)
    with pytest.raises(DataError, match="every row has fewer than two steps"):
        context_curve(model.network, model.task, model.encode(model.read(data), target=True))


def test_a_few_short_rows_have_a_context(tmp_path: Path) -> None:
    data = {"clicks": [[f"item{(k + j) % 5}" for j in range(9)] for k in range(20)]}
    model = ur.fit(data, kinds={"clicks": "tokens"}, model="lstm", out=tmp_path / "run", **QUICK)
    found = context_curve(model.network, model.task, model.encode(model.read(data), target=True))
    assert found.given[-1] > 2 and found.answers >= 80
