"""What an answer rests on, as bars, with the sentence that has the sum and the gap."""

from __future__ import annotations

import re
from dataclasses import replace

from unrolled.inspection.attribute import Attribution
from unrolled.views.resting import resting

WHY = Attribution(
    answer="the answer at step 6",
    step=6,
    of="logit",
    method="occlusion",
    first=4,
    values=(0.5, -2.0, 0.25),
    columns={},
    score=3.0,
    without=1.0,
    baseline="the mean of the row's embedded steps",
    read=("a", "<b>", "c"),
)


def test_bars_stand_beside_the_sentence_with_the_sum_and_the_gap() -> None:
    (section,) = resting(WHY)
    assert section.title == "Why this answer"
    assert "rests most on the steps 5 &#x27;&lt;b&gt;&#x27; (-2), 4 &#x27;a&#x27; (+0.5)" in section.body
    assert "worth +2 together and -1.25 one by one, a gap of -3.2" in section.body
    assert section.body.count("<svg") == 1 and "<b>" not in section.body


def test_each_column_has_its_bars() -> None:
    (section,) = resting(replace(WHY, columns={"load": (0.0, -2.0, 0.0), "temp": (0.5, 0.0, 0.25)}))
    assert all(f">{name}<" in section.body for name in ("all columns", "load", "temp"))


def test_what_is_not_known_is_not_drawn() -> None:
    assert list(resting("not measured: why")) == []
    assert list(resting(replace(WHY, values=(0.0, 0.0, 0.0)))) == []


def test_words_stand_beyond_their_bars_and_not_on_each_other() -> None:
    words = ["", "", "ab", "\n", " ", "cd"]
    why = replace(WHY, first=0, values=(0.1, 0.1, 2.0, 1.9, -1.8, 0.2), read=tuple(words))
    (section,) = resting(why)
    labels = re.findall(r' y="([0-9.]+)"[^>]*paint-order[^>]*>(ab|⏎|␣|−1.8|2)<', section.body)
    down = {text: float(y) for y, text in labels}
    assert down["␣"] - down["−1.8"] >= 11 and down["2"] - down["ab"] >= 11
    crowded = replace(why, first=0, values=(*why.values, *[0.0] * 90), read=("", "", "abc", "def", " ", *[""] * 91))
    assert "abc" in resting_body(crowded) and "def" not in resting_body(crowded).partition("<svg")[2]


def resting_body(why: Attribution) -> str:
    (section,) = resting(why)
    return section.body
