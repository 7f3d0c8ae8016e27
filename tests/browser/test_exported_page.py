"""The page of an exported model: it answers in a browser, from the folder and the runtime beside it only."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from export_cases import CASES, PLAIN

import unrolled

DIST = Path(__file__).parents[2] / "build" / "node" / "node_modules" / "onnxruntime-web" / "dist"
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")

pytestmark = pytest.mark.skipif(not DIST.is_dir(), reason="onnxruntime-web is not installed: make browser")


class Quiet(SimpleHTTPRequestHandler):
    extensions_map: ClassVar[dict[str, str]] = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    rows, options = CASES["characters"]
    unrolled.fit(rows, out=folder / "run", **{**PLAIN, **options}).export(folder / "out")
    (folder / "out" / "ort").mkdir()
    for name in RUNTIME:
        shutil.copy(DIST / name, folder / "out" / "ort" / name)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder / "out"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_streams_generates_and_is_right(chromium: Any, address: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = chromium.new_page(color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    assert page.evaluate("check()") <= 1e-5
    page.fill("#values", "The dog")
    page.click("#push")
    page.wait_for_function("document.querySelector('#answers').textContent.includes('x_predicted')")
    page.click("#again")
    page.click("#generate")
    page.wait_for_function(
        "document.querySelector('#answers').textContent.length >= 100 && !document.querySelector('#push').disabled"
    )
    assert said == []
    assert all(url.startswith(address.rsplit("/", 1)[0]) for url in asked)
    assert Axe().run(page).response["violations"] == []
    page.close()
