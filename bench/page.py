"""The page of a row, and the live page, in Chromium (after `make browser`): size, when it is drawn, time of a step.

    python bench/page.py

Each page holds six values of every unit of a made row. "ready" is from opening the file until all is drawn; a step is
moved 60 times by a key, and the layout is computed after each. The live page reads an LSTM of 256 units: a push is from
the key to what is drawn; and 1 000 symbols are pushed and compared with a session of the model.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

import unrolled as ur
from unrolled.page.document import Grid, Section, document
from unrolled.runs.live_inspection import LiveInspection

SHAPES = [(1_000, 256), (10_000, 256), (100_000, 64)]
NAMES = ("input gate", "forget gate", "candidate", "output gate", "cell state", "hidden state")
MOVED = """() => { const box = document.querySelector("[role=application]"), took = [];
  for (let at = 0; at < 60; at += 1) { const before = performance.now();
    box.dispatchEvent(new KeyboardEvent("keydown", {key: at % 3 ? "ArrowRight" : "PageDown"}));
    document.body.getBoundingClientRect(); took.push(performance.now() - before); }
  return took; }"""
RESULTS = Path(__file__).parent / "results" / "page.jsonl"


def page_of(steps: int, units: int) -> str:
    draw = np.random.default_rng(0)
    values = [
        {
            "name": name,
            "grid": Grid(draw.random((steps, units), dtype=np.float32), 0.0, 1.0, 255 if steps <= 20_000 else 49),
            "units": list(range(units)),
        }
        for name in NAMES
    ]
    data = {"tokens": [chr(97 + at % 26) for at in range(steps)], "quantities": values}
    loss = {"loss": draw.random(steps, dtype=np.float32), "unit": "nats"}
    return document(
        "Inside a model",
        "made numbers",
        [
            Section("Row", view="text", data=data, group="row"),
            Section("Gates", view="gates", data=data, group="row"),
            Section("Units", view="units", data=data, group="row"),
            Section("Loss", view="loss", data=loss, group="row"),
        ],
    )


def live(browser: Any, folder: Path) -> dict[str, Any]:
    """Type 100 letters into the live page, and push 1 000 beside a session."""
    text = ["the cat sat on the mat. ", "the dog ate the hat. "] * 50
    own = {"model": "lstm", "hidden": 256, "layers": 1, "steps": 20, "only": "none", "blend": "none", "start": "none"}
    model = ur.fit({"text": text}, tokens="characters", out=folder / "run", quiet=True, **own)
    inspection = ur.inspect(model, {"text": text[:1]})
    served = LiveInspection(model, inspection).page()
    server = threading.Thread(target=served.serve)
    server.start()
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(served.address)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    page.locator("textarea").press_sequentially((text[0] + text[1]) * 2 + text[0][:10], delay=150)
    took = page.evaluate("performance.getEntriesByName('pushed').map((one) => one.duration)")
    page.close()
    served.stop()
    server.join()
    typed, session, furthest = LiveInspection(model, inspection), model.stream(), 0.0
    typed.open({"text": "t"})
    session.push("t")
    for symbol in ("he cat sat on the mat. t" * 42)[:1_000]:
        told, answer = typed.push({"symbols": symbol}), session.push(symbol)
        data = next(one["data"] for one in told["views"] if one["view"] == "next")
        what, blob = told["arrays"][data["chances"]["$"]], gzip.decompress(base64.b64decode(told["blob"]))
        best = np.frombuffer(blob, "<f4", what["length"], what["at"]).reshape(-1, what["width"])[-1, 0]
        furthest = max(furthest, abs(best / answer["text_p"] - 1))
    return {
        "pushes": len(took),
        "push_ms_median": round(statistics.median(took), 1),
        "push_ms_p95": round(sorted(took)[int(0.95 * len(took))], 1),
        "furthest_from_session": float(f"{furthest:.1e}"),
    }


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    template = len(document("", "", [Section("", view=view) for view in ("text", "gates", "units", "loss")]))
    print(f"template, style and code of these four views: {template / 1e3:.1f} kB")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder, RESULTS.open("a") as results:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for steps, units in SHAPES:
            file = Path(folder) / "page.html"
            file.write_text(page_of(steps, units))
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            began = time.perf_counter()
            page.goto(file.as_uri())
            page.wait_for_selector("html[data-ready=true]", state="attached")
            ready = time.perf_counter() - began
            took = page.evaluate(MOVED)
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            counted = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            found = {
                "steps": steps,
                "units": units,
                "MB": round(file.stat().st_size / 1e6, 2),
                "ready_s": round(ready, 2),
                "step_ms_median": round(statistics.median(took), 2),
                "step_ms_most": round(max(took), 1),
                "heap_MB": round(counted["JSHeapUsedSize"] / 1e6, 1),
                "nodes": page.evaluate("document.querySelectorAll('*').length"),
            }
            print(found)
            results.write(json.dumps(found) + "\n")
            page.close()
        found = live(browser, Path(folder))
        print(found)
        results.write(json.dumps(found) + "\n")
        browser.close()


if __name__ == "__main__":
    main()
