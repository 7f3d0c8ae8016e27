"""The network as a picture says what its drawing in text says: layers, directions, states, answers."""

from __future__ import annotations

import itertools
from collections import Counter
from xml.etree import ElementTree

import pytest

from unrolled.inspection.drawing import Answers
from unrolled.inspection.network_picture import network_picture
from unrolled.models._sketch import Sketch, Stack

SVG = "{http://www.w3.org/2000/svg}"


def parts(sketch: Sketch, answers: Answers = "step", horizon: int = 0) -> tuple[Counter[str], list[str]]:
    """How many elements there are of each class, and all texts without the marks of indices."""
    root = ElementTree.fromstring(network_picture(sketch, answers, horizon, "a <net>"))
    texts = ["".join(of.itertext()).replace("\u200b", "") for of in root.iter(f"{SVG}text")]
    return Counter(of.get("class", "") for of in root.iter()), texts


def test_a_recurrent_layer_passes_a_state_along_time() -> None:
    found, texts = parts(Sketch(Stack(("lstm", "lstm"))), "next")
    assert (found["layer"], found["head"], found["time"], found["time back"]) == (6, 3, 2 * 5, 0)
    assert {"x1", "x2", "xT", "x3", "xT+1", "h0", "hT", "⋯", "lstm", "head"} <= {*texts}
    assert texts.count("h0") == 2


def test_two_directions_are_two_lanes() -> None:
    found, texts = parts(Sketch(Stack(("gru",), both=True), pool="mean"), "row")
    assert (found["time"], found["time back"], found["pool"], found["head"]) == (5, 4, 1, 1)
    assert {"h'T+1", "mean over the steps", "y"} <= {*texts}


def test_where_all_steps_see_each_other_arrows_go_both_ways() -> None:
    found, texts = parts(Sketch(Stack(("transformer",), whole=True)))
    assert found["time"] == found["time back"] == 3
    assert "h0" not in texts and "Each step sees all others at once." in texts


def test_without_memory_nothing_is_passed() -> None:
    found, _ = parts(Sketch(Stack(("mlp",), remembers=False)))
    assert found["time"] + found["time back"] == 0


def test_a_row_without_steps_is_a_chain() -> None:
    found, texts = parts(Sketch(Stack(("mlp", "mlp"), remembers=False), timed=False, pool="last"), "row")
    assert (found["layer"], found["head"], found["on"]) == (2, 1, 4)
    assert [text for text in texts if text] == ["x", "mlp", "mlp", "head", "y"]


def test_one_answer_is_over_the_last_step_and_a_forecast_says_how_far() -> None:
    found, texts = parts(Sketch(Stack(("lstm",) * 5), pool="last"), "row", horizon=24)
    assert (found["layer"], found["head"], found["up"]) == (3, 1, 5)
    assert {"5 × lstm", "xT+1 … xT+24"} <= {*texts}


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_a_decoder_stands_over_its_encoder(attention: str) -> None:
    sketch = Sketch(Stack(("lstm",), both=True), writes=Stack(("lstm",)), attention=attention)
    found, texts = parts(sketch)
    assert (found["layer"], found["bridge"], found["head"]) == (6, 1, 3)
    assert {"x1", "xS", "m1", "mS", "<begin>", "yU-1", "yU"} <= {*texts}
    assert ("attention (additive): each step attends to all m" in texts) == (attention == "additive")


def test_side_sequences_are_named() -> None:
    _, texts = parts(Sketch(Stack(("gru",)), sides=("<history>",)))
    assert "<history> is read to one vector first; every step receives it." in texts


@pytest.mark.parametrize(
    ("both", "answers", "pool"),
    list(itertools.product([True, False], ["row", "step", "next"], ["last", "mean", "max"])),
)
def test_everything_stands_inside_the_picture(both: bool, answers: Answers, pool: str) -> None:
    svg = network_picture(Sketch(Stack(("deltanet", "gru"), both=both), pool=pool), answers, 0, "t")
    root = ElementTree.fromstring(svg)
    _, _, wide, _ = map(float, root.get("viewBox", "").split())
    for box in root.iter(f"{SVG}rect"):
        assert float(box.get("x", "0")) + float(box.get("width", "")) <= wide
