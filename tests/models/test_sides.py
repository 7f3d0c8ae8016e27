"""A network with side sequences: what it learns, and that its streams and descriptions know them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from configs import model_config

import unrolled as ur
from unrolled.batch import Discrete, Side, Spelled, lengths_of, letters_of
from unrolled.errors import DataError
from unrolled.models._sides import Sides
from unrolled.models.network import Network
from unrolled.runs.trained import Trained

FILLER = [f"w{number}" for number in range(20)]
KINDS = {"title": "tokens", "body": "tokens"}


def rows(decides: str, count: int = 300) -> dict[str, list[Any]]:
    """Titles, bodies and sets of tags, of which one, or two together, decide the label."""
    draw = random.Random(5)

    def text(words: int, key: str) -> str:
        found = draw.choices(FILLER, k=words)
        found[draw.randrange(words)] = key
        return " ".join(found)

    table: dict[str, list[Any]] = {"title": [], "body": [], "tags": [], "y": []}
    for _ in range(count):
        a, b, c = (draw.randrange(2) for _ in range(3))
        table["title"].append(text(draw.randint(1, 4), ("red", "blue")[a]))
        table["body"].append(text(draw.randint(6, 12), ("up", "down")[b]))
        table["tags"].append(draw.sample(["p", "q", "r"], draw.randint(1, 2)) + ["s"] * c)
        table["y"].append({"title": a, "body": b, "tags": c, "title and body": a & b}[decides])
    return table


def fitted(table: dict[str, list[Any]], out: Path, **options: Any) -> Trained:
    asked: dict[str, Any] = {"hidden": 16, "steps": 120, "batch": 32, "lr": 0.02, "seed": 2, "plan": "fixed", **options}
    return ur.fit(table, target="y", task="classify", kinds=KINDS, out=out, **asked)


@pytest.mark.parametrize("decides", ["tags", "title and body"])
def test_whatever_decides_is_learned(decides: str, tmp_path: Path) -> None:
    model = fitted(rows(decides), tmp_path / "run")
    assert model.task.coder.sides == {"title": Side("title"), "tags": Side("tags", ordered=False)}
    assert model.metrics["valid"]["accuracy"] > 0.95


def test_a_stream_is_told_the_title_first_and_ends_where_predict_does(tmp_path: Path) -> None:
    model = fitted(rows("title and body", 40), tmp_path / "run", steps=5, live=True)
    row = {"title": "w1 red", "body": "w2 w3 down w4", "tags": ["p", "q"]}
    wanted = model.predict([row]).column("y_p_1")[0].as_py()
    live = model.stream()
    live.push({**row, "body": "w2 w3"})
    elsewhere = model.stream(live.snapshot())
    for session in (live, elsewhere):
        assert session.push({"body": "down w4"})["y_p_1"] == pytest.approx(wanted, abs=1e-6)
    pool = model.pool()
    one, other, third = pool.open(), pool.open(), pool.open(elsewhere.snapshot())
    begun, _, refused = pool.push([(one, {**row, "body": "w2 w3"}), (other, row), (third, {**row, "title": "w9"})])
    assert isinstance(begun, dict) and isinstance(refused, DataError)
    (both,) = pool.push([(one, {"body": "down w4"})])
    assert isinstance(both, dict)
    assert both["y_p_1"] == pytest.approx(wanted, abs=1e-6)
    opened = ur.load(tmp_path / "run")
    assert opened.predict([row]).column("y_p_1")[0].as_py() == wanted


def test_a_description_says_what_is_read_on_its_own(tmp_path: Path) -> None:
    described = fitted(rows("title", 40), tmp_path / "run", steps=2, model="lstm", plan="fixed").describe()
    said = "title, tags are each read to one vector first; every step receives it, and so does the head"
    assert said in described.drawing
    assert described.columns["tags"].endswith(", a set; one of 5 symbols per step")
    weights = described.weights
    assert weights["sides.readers.0.layer.layers.0.0.weight_hh"] == [64, 16]
    assert described.multiply_adds_per_side_step == 64 * (weights["sides.readers.0.layer.layers.0.0.weight_ih"][1] + 16)
    assert described.parameters == sum(torch.Size(shape).numel() for shape in weights.values())


def test_without_side_sequences_the_modules_are_the_same_as_ever() -> None:
    network = Network({"text": Discrete(9)}, model_config(name="gru", hidden=4), outputs=2, pooled=True)
    assert sorted({name.split(".")[0] for name in network.state_dict()}) == ["columns", "head", "layer"]
    assert network.initial_state(1).sides is None


def test_a_set_has_no_order_and_a_sequence_has() -> None:
    torch.manual_seed(0)
    for ordered in (False, True):
        spec = Discrete(5, time=False, side=Side("tags", ordered))
        sides = Sides({"tags": {"tags": spec}}, model_config(name="gru", hidden=4), "last")
        one, other = (
            sides({"tags": torch.tensor([ids]), lengths_of("tags"): torch.tensor([2])})
            for ids in ([1, 2, 0], [2, 1, 3])
        )
        assert torch.equal(one, other) is not ordered


def test_a_row_without_a_side_sequence_has_a_vector_of_zeros() -> None:
    spec = Discrete(5, time=False, side=Side("title"))
    sides = Sides({"title": {"title": spec}}, model_config(name="lstm", hidden=4), "max")
    found = sides({"title": torch.tensor([[1], [9]]), lengths_of("title"): torch.tensor([1, 0])})
    assert found[0].any() and not found[1].any()


def test_a_side_sequence_is_read_by_its_letters_too() -> None:
    side = Side("title")
    specs = {"title": Discrete(5, False, side=side), letters_of("title"): Spelled(9, 4, "title", False, side)}
    network = Network({"ids": Discrete(3), **specs}, model_config(name="gru", hidden=4), 2, pooled=True).eval()
    ids, lengths = torch.tensor([[1, 2], [1, 2]]), torch.tensor([2, 2])
    inputs = {"ids": ids, "title": torch.zeros(2, 3, dtype=torch.int64), lengths_of("title"): torch.tensor([2, 2])}
    letters = torch.tensor([[[2, 3, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]]]).repeat(2, 1, 1)
    letters[1, 1, 1], letters[1, 2] = 5, 99  # another letter in row 1, and padding that nothing reads
    outputs, _ = network({**inputs, letters_of("title"): letters}, lengths)
    assert not torch.allclose(outputs[0], outputs[1])
    letters[1, 1, 1] = 0
    outputs, _ = network({**inputs, letters_of("title"): letters}, lengths)
    torch.testing.assert_close(outputs[0], outputs[1])
