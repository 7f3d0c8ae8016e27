from __future__ import annotations

import itertools

import pytest

from unrolled.inspection.drawing import Answers, draw
from unrolled.models._sketch import Sketch, Stack


def test_many_to_one() -> None:
    assert draw(Sketch(Stack(("lstm",)), pool="last"), "row").splitlines() == [
        "                                   y",
        "                                   ↑",
        "                                [ head ]",
        "                                   ↑",
        "h_0 → [ lstm ] → [ lstm ] → ⋯ → [ lstm ] → h_T",
        "         ↑          ↑              ↑",
        "        x_1        x_2            x_T",
    ]


def test_both_directions_meet_before_one_answer() -> None:
    drawn = draw(Sketch(Stack(("gru",), both=True), pool="mean"), "row").splitlines()
    assert drawn[4] == "      [      mean over the steps       ]"
    assert drawn[6] == "      [ gru  ] ← [ gru  ] ← ⋯ ← [ gru  ] ← h'_T+1"
    assert drawn[7] == "h_0 → [ gru  ] → [ gru  ] → ⋯ → [ gru  ] → h_T"


def test_each_layer_is_drawn_until_there_are_too_many() -> None:
    for layers, rows in ((1, 1), (3, 3), (4, 1)):
        drawn = draw(Sketch(Stack(("rnn",) * layers)), "next")
        assert drawn.count("h_0") == rows
    assert "[ 4 × rnn ]" in drawn
    assert drawn.splitlines()[0].split() == ["x_2", "x_3", "x_T+1"]


def test_a_model_without_memory_has_no_arrows_between_steps() -> None:
    drawn = draw(Sketch(Stack(("mlp",), remembers=False)))
    assert "→" not in drawn
    assert drawn.count("[ mlp  ]") == 3
    assert (
        draw(Sketch(Stack(("mlp",), remembers=False), timed=False, pool="last"), "row") == "x → [ mlp ] → [ head ] → y"
    )


def test_where_each_step_sees_every_other_there_is_no_state_to_hand_on() -> None:
    drawn = draw(Sketch(Stack(("tf",), whole=True))).splitlines()
    assert drawn[4] == "      [  tf  ] ↔ [  tf  ] ↔ ⋯ ↔ [  tf  ]"


def test_a_forecast_is_an_answer_of_several_steps() -> None:
    assert "x_T+1 … x_T+96" in draw(Sketch(Stack(("gru",)), pool="last"), "row", horizon=96)
    assert "x_T+1\n" in draw(Sketch(Stack(("gru",)), pool="last"), "row", horizon=1)


@pytest.mark.parametrize(
    ("both", "answers", "pool"),
    list(itertools.product([True, False], ["row", "step", "next"], ["last", "mean", "max"])),
)
def test_arrows_stand_over_the_middle_of_boxes(both: bool, answers: Answers, pool: str) -> None:
    drawn = draw(Sketch(Stack(("lstm",) * 2, both=both), pool=pool), answers).splitlines()
    below, boxes = drawn[-2], drawn[-3]
    for place, sign in enumerate(below):
        if sign == "↑":
            start, end = boxes.rindex("[", 0, place), boxes.index("]", place)
            assert abs((start + end) / 2 - place) <= 1
