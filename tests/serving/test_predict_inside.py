"""A look inside what a session has read: the views of an inspection of the same row."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pytest
from serving.loopback import Loopback
from serving.test_sockets import value

from unrolled.errors import DataError
from unrolled.runs.trained import Trained
from unrolled.serving.playground import _VIEWS
from unrolled.serving.predict_inside import answered


def look(model: Trained, xs: list[Any]) -> Any:
    return json.loads(answered(model, pa.py_buffer(json.dumps({"xs": xs}).encode()), {}))


def test_what_was_read_is_inspected_as_one_row(load: Trained, writer: Trained) -> None:
    for model, xs, steps in (
        (load, [value(n) for n in range(12)], 12),
        (load, [{"load": "10.5", "temp": None}, {"load": "11", "temp": "5"}], 2),  # as the page has them
        (writer, [{"x": "the d"}, {"x": "og ran"}], 12),  # with its beginning
        (writer, ["the d", "og ran"], 12),
    ):
        told = look(model, xs)
        views = [one["view"] for one in told["views"]]
        assert {"gates", "text"} <= {*views} <= {*_VIEWS}
        assert len(re.findall("data-view", told["html"])) == len(views)
        assert max(array["length"] // array["width"] for array in told["arrays"]) >= steps


def test_every_view_of_an_inspection_can_be_drawn() -> None:
    from importlib.resources import files

    views = {part.name.removesuffix(".js") for part in files("unrolled.page").joinpath("parts").iterdir()}
    others = {"canvas", "cursor", "data", "inside", "live", "main", "marks", "page.css", "playground", "quantities"}
    assert views - others - {"reload", "state", "template.html"} == {*_VIEWS}


def test_what_cannot_be_looked_at_is_one_sentence(load: Trained, server: Loopback) -> None:
    with pytest.raises(DataError, match="^the row: is empty: push something first$"):
        look(load, [])
    said = server.ask("POST", "/v1/inside", {"xs": [{"load": "much", "temp": 1}]})
    assert (said.status, "not a list of numbers" in said.json["error"]["message"]) == (422, True)
    assert server.ask("POST", "/v1/inside", {"rows": []}).status == 400
