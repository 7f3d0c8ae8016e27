"""What a notebook shows is short HTML that stands alone, and escapes what users wrote."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from unrolled.page.notebook import cell, facts, grid, metrics_grid, notebook_output, sentences


class Html(str):
    """What IPython's HTML is here."""


def notebook(monkeypatch: pytest.MonkeyPatch, shell: object) -> list[str]:
    """Pretend that a notebook runs this program: everything that it is asked to show, in order."""
    shown: list[str] = []
    place = SimpleNamespace(update=lambda html: shown.append(html))

    def display(html: str, *, display_id: bool) -> Any:
        assert display_id
        return place

    fake = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(HTML=Html, display=display))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    return shown


def test_a_cell_is_valid_and_escapes_what_users_wrote() -> None:
    html = cell(
        "<i>title</i>",
        grid(["", "a&b"], [["<script>", 0.25], ["x", None]], "of <b>"),
        facts([("<k>", "<v>")]),
        sentences(["1 < 2"]),
    )
    root = ElementTree.fromstring(html)
    texts = [text for text in root.itertext() if text]
    assert texts == ["<i>title</i>", "of <b>", "a&b", "<script>", "0.25", "x", "<k>", "<v>", "1 < 2"]
    assert "<script" not in html and "var(--jp-" in html


def test_a_table_of_metrics_has_a_line_for_each_rival() -> None:
    html = metrics_grid({"accuracy": 0.875}, {"majority": {"accuracy": 0.5}, "hmm": {}}, "this model", "valid")
    rows = [["".join(box.itertext()) for box in row] for row in ElementTree.fromstring(html).iter("tr")]
    assert rows == [["", "accuracy"], ["this model", "0.875"], ["majority", "0.5"], ["hmm", ""]]


def test_html_replaces_itself_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = notebook(monkeypatch, SimpleNamespace(kernel=object()))
    show = notebook_output()
    assert show is not None
    show("one")
    show("two")
    assert shown == ["one", "two"] and isinstance(shown[0], Html)


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_elsewhere_there_is_no_notebook(monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
    notebook(monkeypatch, shell)
    assert notebook_output() is None
    monkeypatch.delitem(sys.modules, "IPython")
    assert notebook_output() is None


def test_columns_of_words_are_aligned_left() -> None:
    html = grid(["row", "text", "loss", "shape"], [["1", "a film", 0.5, "3 × 4"], ["2", "", None, "12 × 1"]])
    sides = ["left" if "text-align:left" in one else "right" for one in html.split("<th")[2:6]]
    assert sides == ["left", "left", "right", "right"]
