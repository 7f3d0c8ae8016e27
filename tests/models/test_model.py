"""The questions that every model answers."""

from __future__ import annotations

import pytest
import torch
from configs import model_config

from unrolled.batch import Continuous, Discrete, Spec
from unrolled.errors import UsageError
from unrolled.layers.factory import model_names
from unrolled.models.build import build_model
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.model import Model
from unrolled.models.network import Network

SPECS: dict[str, Spec] = {"text": Discrete(7), "x": Continuous(2), "city": Discrete(3, time=False)}
V = 5


def make(name: str = "gru", written: str | None = None, chosen: str | None = None, **options: object) -> Model:
    torch.manual_seed(0)
    config = model_config(**{"name": name, "hidden": 4, "window": 3, **options})
    return build_model(SPECS, config, V, pooled=False, pool="last", crf=False, written=written, chosen=chosen)


@pytest.mark.parametrize("written", [None, "answer"])
def test_embeddings_are_found_by_side_and_column_under_the_names_of_their_weights(written: str | None) -> None:
    model = make(written=written)
    found = model.embeddings()
    read = {("read", "text"), ("read", "city")}
    assert found.keys() == read | ({("written", "answer")} if written else set())
    weights = model.state_dict()
    for name, embedding in found.values():
        assert torch.equal(weights[name], embedding.weight)
    assert make(embedding=0).embeddings() == {}  # one-hot symbols have no vectors


def test_the_trunk_is_all_but_the_head_and_a_model_that_writes_has_none() -> None:
    model = make("lstm")
    assert model.state_dict().keys() - model.trunk().keys() == {"head.weight", "head.bias"}
    model.trunk()["layer.layers.0.0.bias_ih"].fill_(3.0)  # they are the weights, and no copies
    assert bool((model.state_dict()["layer.layers.0.0.bias_ih"] == 3).all())
    assert make(written="answer").trunk() == {}


@pytest.mark.parametrize("name", model_names())
def test_a_model_streams_or_says_why_it_does_not(name: str) -> None:
    model = make(name)
    if model.cannot_stream is None:
        assert model.causal and model.session().state is not None
        return
    assert not model.causal
    with pytest.raises(UsageError, match="reads every sequence in both directions.*does not begin with 'bi'"):
        model.session()


def test_a_model_that_writes_does_not_stream() -> None:
    model = make(written="answer")
    assert model.writes and not model.causal and model.initial_state(3) is None
    with pytest.raises(
        UsageError, match="reads each sequence whole before it writes its answer, so it cannot stream: use predict"
    ):
        model.session()


def test_what_training_tells_goes_where_the_model_needs_it() -> None:
    prior = torch.tensor([0.1, 0.2, 0.3, 0.2, 0.2]).log()
    for model in (make(), make(written="answer")):
        first = model.head.bias.clone()
        model.initialise(None, longest=4, candidates=0)
        assert torch.equal(model.head.bias, first)
        model.initialise(prior, longest=6, candidates=3)
        assert torch.equal(model.head.bias, prior)
    assert isinstance(model, EncoderDecoder) and int(model.longest) == 6


def test_only_where_items_are_chosen_does_training_compare_with_some_of_them() -> None:
    prior = torch.full((V,), 1 / V).log()
    for model, sampled in ((make(chosen="text"), True), (make(), False)):
        assert isinstance(model, Network)
        model.initialise(prior, longest=0, candidates=2)
        assert (model.sampler is not None) == sampled
        assert model.embeddings()["read", "text"].embedding.sparse == sampled


def test_a_model_that_writes_reads_a_share_of_its_own_symbols() -> None:
    model = make(written="answer", scheduled_sampling=0.5)
    model.begin_step(0.5, 1)
    assert isinstance(model, EncoderDecoder) and model.own_share == 0.25
    make().begin_step(0.5, 1)  # and any other has nothing to do


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_the_longest_row_is_as_long_as_the_table_of_positions(positions: str) -> None:
    longest = 4096 if positions == "learned" else None
    alone, pair = (make("transformer", written=written, positions=positions) for written in (None, "answer"))
    assert (alone.longest_read, alone.longest_written) == (longest, None)
    assert (pair.longest_read, pair.longest_written) == (longest, longest)
    attending = make("lstm", written="answer", encoder="transformer", positions=positions)
    assert (attending.longest_read, attending.longest_written) == (longest, None)
