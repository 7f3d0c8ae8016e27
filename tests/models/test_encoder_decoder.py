"""One sequence becomes another. Axes: B rows, S steps read, U steps written."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Batch, Continuous, Discrete, Spec
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import build_layer, model_names
from unrolled.models.encoder_decoder import EncoderDecoder, WriterState, parts_of
from unrolled.state import flatten, select

V = 6
LENGTHS = torch.tensor([5, 3, 1, 0])
WRITTEN = torch.tensor([6, 2, 4, 3])
NAMES = [name for name in model_names() if build_layer(model_config(name=name), 1).causal]
CASES = [(name, kind) for name in NAMES for kind in ("scaled_dot", "none")]
CASES += [("gru", kind) for kind in ("additive", "dot", "cosine")]


def model(name: str = "gru", attention: str = "scaled_dot", **options: Any) -> EncoderDecoder:
    torch.manual_seed(0)
    specs: dict[str, Spec] = options.pop("specs", {"ids": Discrete(7)})
    config = model_config(name=name, attention=attention, **{"hidden": 8, "layers": 2, "embedding": 6, **options})
    return EncoderDecoder(specs, config, outputs=V).eval()


def test_its_title_says_what_reads_and_what_writes() -> None:
    specs: dict[str, Spec] = {"ids": Discrete(3)}
    config = model_config(encoder="gru", hidden=4, attention="none")
    assert EncoderDecoder(specs, model_config(hidden=4), outputs=3).title == "bilstm and lstm with attention"
    assert EncoderDecoder(specs, config, outputs=3).title == "gru and lstm without attention"


def source(lengths: Tensor = LENGTHS, junk: int = 0) -> dict[str, Tensor]:
    ids = torch.randint(7, (len(lengths), int(lengths.max())), generator=torch.Generator().manual_seed(1))
    return {"ids": torch.where(torch.arange(ids.shape[1]) < lengths[:, None], ids, junk)}


def target(lengths: Tensor = WRITTEN) -> Tensor:
    ids = torch.randint(3, V, (len(lengths), int(lengths.max())), generator=torch.Generator().manual_seed(2))
    ids[:, 0] = 1
    return torch.where(torch.arange(ids.shape[1]) < lengths[:, None], ids, -100)


def by_steps(network: EncoderDecoder, state: WriterState, symbols: Tensor) -> Tensor:
    """(B, U, V): ``symbols`` (B, U) written one by one."""
    scores = []
    for u in range(symbols.shape[1]):
        logits, state = network.step(symbols[:, u], state)
        scores.append(logits)
    return torch.stack(scores, 1)


def apart(scores: Tensor) -> list[Tensor]:
    """The scores (N, V) of all rows, row by row."""
    return list(scores.split((WRITTEN - 1).tolist()))


@pytest.mark.parametrize(("name", "attention"), CASES)
def test_step_by_step_is_the_whole(name: str, attention: str) -> None:
    network = model(name, attention)
    with torch.no_grad():
        state = network.read(source(), LENGTHS)
        whole = apart(network.score(target(), WRITTEN, state))
        steps = by_steps(network, state, target().clamp(min=0)[:, :-1])
    for row, scores in enumerate(whole):
        torch.testing.assert_close(steps[row, : len(scores)], scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "attention"), CASES)
def test_a_row_alone_writes_what_it_writes_in_company(name: str, attention: str) -> None:
    network = model(name, attention)
    with torch.no_grad():
        whole = apart(network.score(target(), WRITTEN, network.read(source(), LENGTHS)))
        for row in range(len(LENGTHS)):
            one, read, written = slice(row, row + 1), int(LENGTHS[row]), int(WRITTEN[row])
            state = network.read({"ids": source()["ids"][one, :read]}, LENGTHS[one])
            alone = network.score(target()[one, :written], WRITTEN[one], state)
            torch.testing.assert_close(alone, whole[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "attention"), CASES)
def test_padding_is_inert(name: str, attention: str) -> None:
    """Of what is read and of what is written: scores and gradients, to the bit."""
    network = model(name, attention)

    def run(junk: int) -> tuple[Tensor, list[Tensor]]:
        padded = target().masked_fill(torch.arange(6) >= WRITTEN[:, None], junk)
        scores = network.score(padded, WRITTEN, network.read(source(junk=junk), LENGTHS))
        gradients = torch.autograd.grad(
            scores.square().sum(), list(network.parameters()), allow_unused=True, materialize_grads=True
        )
        return scores, list(gradients)

    (found, found_gradients), (expected, expected_gradients) = run(5), run(0)
    assert torch.equal(found, expected)
    assert all(torch.equal(a, b) for a, b in zip(found_gradients, expected_gradients, strict=True))


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_the_rows_of_a_state_can_be_chosen(name: str) -> None:
    """As a beam does: row 2 twice, row 0 once, after a step."""
    network, rows = model(name), torch.tensor([2, 2, 0])
    with torch.no_grad():
        _, state = network.step(torch.tensor([1, 1, 1, 1]), network.read(source(), LENGTHS))
        all_rows, _ = network.step(torch.tensor([3, 4, 5, 3]), state)
        some, _ = network.step(torch.tensor([5, 4, 3]), select(state, rows))
    torch.testing.assert_close(some[0], all_rows[2], rtol=0, atol=1e-6)
    torch.testing.assert_close(some[2], all_rows[0], rtol=0, atol=1e-6)
    assert all(len(part) == 4 for _, part in flatten(state))


def test_attention_sees_what_one_vector_forgets() -> None:
    """Without it, all that was read is one vector; with it, the state holds every step."""
    lengths = torch.tensor([5])
    with torch.no_grad():
        bottleneck = model(attention="none").read(source(lengths), lengths)
        attending = model().read(source(lengths), lengths)
    sizes = [sum(part.numel() for _, part in flatten(state)) for state in (bottleneck, attending)]
    assert sizes[1] > 3 * sizes[0]


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_a_source_without_time_is_one_step(name: str) -> None:
    network = model(name, specs={"age": Continuous(2, time=False)})
    state = network.read({"age": torch.ones(3, 2)}, torch.ones(3, dtype=torch.int64))
    assert network.step(torch.tensor([1, 1, 1]), state)[0].shape == (3, V)


def test_tied_weights_are_the_vectors_of_the_symbols() -> None:
    network = model(tied=True)
    assert "head.weight" not in network.state_dict()
    state = network.read(source(), LENGTHS)
    before, _ = network.step(torch.tensor([1, 1, 1, 1]), state)
    with torch.no_grad():
        network.symbols.weight[4] += 1
    after, _ = network.step(torch.tensor([1, 1, 1, 1]), state)
    assert (before != after).any(0).tolist() == [False, False, False, False, True, False]


def test_scheduled_sampling_reads_its_own_symbols_and_never_instead_of_the_first() -> None:
    network = model().train()
    state = network.read(source(), LENGTHS)
    right = network.score(target(), WRITTEN, state)
    network.own_share = 1.0
    own = network.score(target(), WRITTEN, state)
    firsts = torch.tensor([0, 5, 6, 9])  # of each row of N
    assert torch.equal(own[firsts], right[firsts])
    assert not torch.equal(own, right)
    assert torch.equal(network.eval().score(target(), WRITTEN, state), right)


def test_a_batch_without_a_target_is_read_alone() -> None:
    network = model()
    batch = Batch(source(), LENGTHS, torch.arange(4))
    written, state = network.run(batch)
    assert written.logits is None and state is None
    assert written.float().start.step == network.step


def test_coverage_tells_attention_where_it_has_looked() -> None:
    network = model(attention="additive", coverage=True)
    with torch.no_grad():
        state = network.read(source(), LENGTHS)
        whole = apart(network.score(target(), WRITTEN, state))
        steps = by_steps(network, state, target().clamp(min=0)[:, :-1])
    for row, scores in enumerate(whole):
        torch.testing.assert_close(steps[row, : len(scores)], scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (model_config(name="lstm"), ("bilstm", "lstm")),
        (model_config(name="bilstm"), ("bilstm", "lstm")),
        (model_config(name="transformer"), ("bitransformer", "transformer")),
        (model_config(name="gru", encoder="window"), ("window", "gru")),
        (model_config(encoder="bitransformer", decoder="mingru"), ("bitransformer", "mingru")),
    ],
)
def test_what_reads_and_what_writes(config: ModelConfig, names: tuple[str, str]) -> None:
    assert tuple(part.name for part in parts_of(config)) == names


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        UsageError,
        match="decoder = 'bigru' reads in both directions, so it cannot write a sequence: choose a layer",
    ):
        EncoderDecoder({"ids": Discrete(3)}, model_config(decoder="bigru"), outputs=4)
    with pytest.raises(UsageError, match="there is no model 'gruu'. Did you mean 'gru'"):
        EncoderDecoder({"ids": Discrete(3)}, model_config(encoder="gruu"), outputs=4)
    network = model()
    with pytest.raises(ShapeError, match=r"EncoderDecoder: target is \(2, 6\), expected \(4, U ≥ 1\)"):
        network.score(target()[:2], WRITTEN[:2], network.read(source(), LENGTHS))
