"""The network unrolled: its numbers are the model's, and its equations add up to what is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from unrolled.cells.equations import worked_out
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.inspection.trace import trace
from unrolled.page.document import document
from unrolled.views.looked import Looked
from unrolled.views.unrolled import unrolled

TEXTS = {"text": ["abcabcabc", "bcabca", "cabcab"] * 4}
T = 9


def looked(folder: Path, **options: Any) -> Looked:
    settings: Any = {"task": "next_step", "steps": 3, "plan": "fixed", "only": "none", "blend": "none", **options}
    model = ur.fit(TEXTS, **settings, out=folder / "run", quiet=True)
    examples = model.encode(model.read(TEXTS), target=True)
    batch = Loader(examples, Windows(np.array([0]), np.array([T]), T, 1))[0]
    return Looked(model.task, trace(model.network, model.task, batch), network=model.network)


def rounded(values: np.ndarray) -> torch.Tensor:
    """As the page writes them."""
    return torch.from_numpy(np.round(values.astype(np.float64), 4))


@pytest.mark.parametrize("model", ["lstm", "gru", "rnn", "mingru"])
def test_every_number_of_a_small_cell_is_shown_and_its_equations_add_up(tmp_path: Path, model: str) -> None:
    seen = looked(tmp_path, model=model, hidden=8)
    (section,) = unrolled(seen)
    (cell,) = section.data["cells"]
    assert section.data["tokens"] == ["<begin>", *"abcabcab"]
    assert (cell["name"], cell["whole"], cell["units"]) == ("layer 1", True, list(range(8)))
    values = {name: rounded(value) for name, value in cell["values"].items()}
    for equation in cell["equations"]:
        name, traced = equation["name"], seen.trace[f"layer 1, {equation['says']}"]
        assert cell["values"][name].shape == (T, 8)
        np.testing.assert_allclose(cell["values"][name], traced, atol=1e-4)
        np.testing.assert_allclose(worked_out(equation["tree"], values), traced, atol=1e-3)
    assert "data-view" in document("a", "b", [section])


def test_a_wide_cell_has_norms_means_and_the_equations_of_the_units_that_vary_most(tmp_path: Path) -> None:
    seen = looked(tmp_path, model="lstm", hidden=12, layers=2)
    (section,) = unrolled(seen)
    assert [cell["name"] for cell in section.data["cells"]] == ["layer 1", "layer 2"]
    cell = section.data["cells"][1]
    h, f = seen.trace["layer 2, hidden state"].numpy(), seen.trace["layer 2, forget gate"].numpy()
    assert (cell["whole"], cell["gates"], cell["states"]) == (False, ["i", "f", "g", "o"], ["c", "h"])
    assert cell["units"] == sorted(np.argsort(-h.var(0))[:4].tolist())
    np.testing.assert_allclose(cell["sizes"]["h"], np.linalg.norm(h, axis=1), atol=1e-4)
    np.testing.assert_allclose(cell["sizes"]["f"], f.mean(1), atol=1e-4)
    np.testing.assert_allclose(cell["values"]["h"], h[:, cell["units"]], atol=1e-4)
    assert cell["inputs"] is None


def test_each_step_says_what_the_model_answers(tmp_path: Path) -> None:
    seen = looked(tmp_path, model="lstm", hidden=8)
    (section,) = unrolled(seen)
    chances = torch.softmax(seen.trace.outputs, -1).max(-1).values
    assert [float(one.split()[-1]) for one in section.data["answers"]] == pytest.approx(chances.tolist(), abs=0.006)


def test_a_model_without_cells_has_no_such_drawing(tmp_path: Path) -> None:
    assert list(unrolled(looked(tmp_path, model="transformer", hidden=16))) == []


def test_a_row_that_is_too_long_is_not_drawn_and_says_so(tmp_path: Path) -> None:
    seen = looked(tmp_path, model="lstm", hidden=8)
    (section,) = unrolled(replace(seen, trace=replace(seen.trace, steps=2_001)))
    assert (section.view, section.body) == ("", "<p>It is drawn for at most 2,000 steps: look at fewer with steps.</p>")


def test_where_the_row_is_hidden_so_is_what_is_read(tmp_path: Path) -> None:
    seen = looked(tmp_path, model="lstm", hidden=8)
    (shown,), (kept,) = unrolled(seen), unrolled(replace(seen, hidden=True))
    assert shown.data["cells"][0]["inputs"] is not None and "x" in shown.data["cells"][0]["sizes"]
    assert kept.data["cells"][0]["inputs"] is None and "x" not in kept.data["cells"][0]["sizes"]
    assert kept.data["tokens"] == ["<begin>", *"xxxxxxxx"]
    assert all(answer.split()[0] in ("x", "<end>") for answer in kept.data["answers"])
