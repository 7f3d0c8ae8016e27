"""Every view together on one page: no name of one part is in the way of another."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from unrolled.page.document import _CORE, Section, document

Open = Callable[..., Any]


def test_all_parts_are_read_on_one_page_without_an_error(opened: Open) -> None:
    parts = [one.name.removesuffix(".js") for one in files("unrolled.page").joinpath("parts").iterdir()]
    views = [name for name in parts if "." not in name and name not in (*_CORE, "main")]
    assert len(views) >= 6
    html = document("All", "parts", [Section(name, view=name) for name in views])
    # Nothing is drawn, as there are no data: only the script is read.
    found = opened(html.replace("await unpacked()", "null").replace("views[view](place", "(() => {})(place"))
    assert found.said == []
