from __future__ import annotations

from pathlib import Path

import pytest

import unrolled as ur

CLICKS = [["milk", "bread", "jam", "milk"], ["tea", "milk", "tea"], ["bread", "jam", "tea", "milk", "bread"]] * 6


@pytest.mark.parametrize("options", [{"only": "none"}, {}])  # a network, and one with what is counted
def test_the_worst_steps_of_items_have_their_names(tmp_path: Path, options: dict[str, str]) -> None:
    run = tmp_path / "run"
    model = ur.fit({"clicks": CLICKS}, model="gru", hidden=4, steps=2, out=run, quiet=True, **options)  # type: ignore[arg-type]
    found = ur.inspect(model, {"clicks": CLICKS}, row=2)
    assert found.trace.loss is not None and found.loss == pytest.approx(float(found.trace.loss.mean()))
    assert [one.loss for one in found.worst] == sorted((one.loss for one in found.worst), reverse=True)
    came = {one.step: one.came for one in found.worst}
    assert came == dict(enumerate(CLICKS[2][1:]))  # the item after each
    assert {one.expected for one in found.worst} <= {"milk", "bread", "jam", "tea"}
    assert found.worst[0].loss == pytest.approx(float(found.trace.loss.max()))
    assert "Loss at each step" in found.to_html()
