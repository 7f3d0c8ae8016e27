from __future__ import annotations

from typing import Any

import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Continuous, Discrete, Spec
from unrolled.errors import ShapeError, UsageError
from unrolled.models.network import Network, NetworkState

SPECS: dict[str, Spec] = {
    "ids": Discrete(5),
    "x": Continuous(2),
    "age": Continuous(1, False),
    "city": Discrete(3, False),
}


def network(specs: dict[str, Spec] | None = None, pooled: bool = False, **options: Any) -> Network:
    torch.manual_seed(0)
    config = model_config(**{"name": "gru", "hidden": 4, **options})
    return Network(specs or SPECS, config, outputs=3, pooled=pooled).eval()


def columns(rows: int = 2, steps: int = 4) -> dict[str, Tensor]:
    return {
        "ids": torch.arange(rows * steps).view(rows, steps) % 5,
        "x": torch.ones(rows, steps, 2),
        "age": torch.ones(rows, 1),
        "city": torch.zeros(rows, dtype=torch.int64),
    }


def test_an_answer_a_step_or_a_row() -> None:
    inputs, lengths = columns(), torch.tensor([4, 2])
    outputs, state = network()(inputs, lengths)
    assert outputs.shape == (2, 4, 3)
    assert state.pool is None
    pooled, state = network(pooled=True)(inputs, lengths)
    assert pooled.shape == (2, 3)
    assert state.pool.steps.tolist() == [4, 2]


@pytest.mark.parametrize("name", ["lstm", "bigru", "window", "mlp"])
def test_columns_without_time_alone_are_one_step(name: str) -> None:
    only: dict[str, Spec] = {"age": Continuous(1, False), "city": Discrete(3, False)}
    model = network(only, pooled=True, name=name)
    inputs = {key: value for key, value in columns().items() if key in only}
    outputs, _ = model(inputs, torch.ones(2, dtype=torch.int64))
    assert outputs.shape == (2, 3)


def test_a_column_without_time_is_there_at_every_step() -> None:
    model = network(name="mlp")
    inputs = columns(1, 3)
    before, _ = model(inputs, torch.tensor([3]))
    inputs["city"] += 1
    after, _ = model(inputs, torch.tensor([3]))
    assert (before != after).any(-1).all()


def test_columns_are_read_by_name_not_by_place() -> None:
    model, inputs = network(), columns()
    straight, _ = model(inputs, torch.tensor([4, 2]))
    backward, _ = model(dict(reversed(inputs.items())), torch.tensor([4, 2]))
    assert torch.equal(straight, backward)


def test_the_first_state_is_that_of_no_state() -> None:
    model, inputs, lengths = network(), columns(), torch.tensor([4, 2])
    assert torch.equal(model(inputs, lengths)[0], model(inputs, lengths, model.initial_state(2))[0])


def test_a_state_that_is_given_is_not_changed() -> None:
    model, inputs, lengths = network(name="lstm", pooled=True, pool="mean"), columns(), torch.tensor([4, 2])
    _, state = model(inputs, lengths)
    kept = [tensor.clone() for tensor in (state.layer[0].h, state.layer[0].c, state.pool.value, state.pool.steps)]
    model(inputs, lengths, state)
    model.step({name: value[:, 0] if SPECS[name].time else value for name, value in inputs.items()}, state)
    now = (state.layer[0].h, state.layer[0].c, state.pool.value, state.pool.steps)
    assert all(torch.equal(a, b) for a, b in zip(kept, now, strict=True))


def test_dropout_is_drawn_in_training_alone() -> None:
    model, inputs, lengths = network(dropout=0.5), columns(), torch.tensor([4, 2])
    assert torch.equal(model(inputs, lengths)[0], model(inputs, lengths)[0])
    model.train()
    assert not torch.equal(model(inputs, lengths)[0], model(inputs, lengths)[0])


def test_one_hot_and_chosen_embeddings() -> None:
    assert network({"ids": Discrete(5)}, embedding=0).layer.input_size == 5
    assert network({"ids": Discrete(5)}, embedding=2).layer.input_size == 2
    assert network(embedding=2).layer.input_size == 2 + 2 + 1 + 2


def test_pooling_is_last_unless_it_is_chosen() -> None:
    inputs, lengths = columns(), torch.tensor([4, 2])
    assert torch.equal(network(pooled=True)(inputs, lengths)[0], network(pooled=True, pool="last")(inputs, lengths)[0])
    assert not torch.equal(
        network(pooled=True)(inputs, lengths)[0], network(pooled=True, pool="max")(inputs, lengths)[0]
    )


# --- what does not fit -------------------------------------------------------------------------------------------


def without(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in columns().items() if key != name}


@pytest.mark.parametrize(
    ("inputs", "lengths", "message"),
    [
        (without("x"), [4, 2], "Network: column 'x' is missing; the inputs are ids, x, age, city"),
        (columns() | {"x": torch.ones(2, 3, 2)}, [4, 2], r"'x' has shape \(2, 3, 2\), expected \(B, T, W\) with B = 2 and T = 4"),
        (columns() | {"x": torch.ones(2, 4)}, [4, 2], r"'x' has shape \(2, 4\), expected \(B, T, W\) with B = 2 and T = 4"),
        (columns() | {"x": torch.ones(2, 4, 3)}, [4, 2], r"Numbers: x has shape \(2, 4, 3\), expected \(B, T, 2\)"),
        (columns() | {"age": torch.ones(3, 1)}, [4, 2], r"'age' has shape \(3, 1\), expected \(B, W\) with B = 2"),
        (columns() | {"city": torch.zeros(2, 4, dtype=torch.int64)}, [4, 2], r"'city' has shape \(2, 4\), expected \(B\)"),
        (columns() | {"ids": torch.full((2, 4), 5)}, [4, 2], r"Embedding: x\[0, 0\] is 5, expected 0 … 4"),
        (columns() | {"ids": torch.full((2, 4), -1)}, [4, 2], r"Embedding: x\[0, 0\] is -1, expected 0 … 4"),
        (columns(), [4, 2, 1], r"'ids' has shape \(2, 4\), expected \(B, T\) with B = 3"),
        (columns(), [5, 2], r"Network: lengths\[0\] is 5, expected 0 … 4"),
        (columns(), [-1, 2], r"Network: lengths\[0\] is -1, expected 0 … 4"),
        (columns(), [4.0, 2.0], "Network: lengths must be a tensor of integers, got torch.float32"),
        (columns(), [[4], [2]], r"Network: lengths has shape \(2, 1\), expected \(2,\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(inputs: dict[str, Tensor], lengths: list[Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        network()(inputs, torch.tensor(lengths))


def test_an_id_beyond_the_end_of_its_row_is_never_looked_at() -> None:
    inputs = columns()
    inputs["ids"][1, 2:] = 99
    assert network()(inputs, torch.tensor([4, 2]))[0].isfinite().all()


def test_a_state_of_another_batch_or_model_is_refused() -> None:
    model, inputs = network(), columns()
    with pytest.raises(ShapeError, match=r"state.h is \(3, 4\) torch.float32 on cpu, expected \(2, 4\)"):
        model(inputs, torch.tensor([4, 2]), model.initial_state(3))
    with pytest.raises(ShapeError, match="state"):
        model(inputs, torch.tensor([4, 2]), NetworkState(network(hidden=8).initial_state(2).layer, None))


def test_an_unknown_name_is_met_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="there is no model 'lstn'. Did you mean 'lstm'"):
        network(name="lstn")
