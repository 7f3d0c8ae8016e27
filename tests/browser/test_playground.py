"""The page of a server in a real browser: what is typed or dropped is answered and drawn, with the keyboard only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.loopback import Loopback, serving
from sounds import samples, wav

import unrolled as ur
from unrolled.music.forms import written
from unrolled.runs.trained import Trained

_PLAIN = {"hidden": 8, "steps": 3, "only": "none", "plan": "fixed", "start": "none", "blend": "none"}
_TUNE = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n"
_TOKEN = "a-token-for-tests"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    load = {"load": [10 + 3 * math.sin(t / 4) for t in range(60)], "temp": [5.0 + t % 3 for t in range(60)]}
    words = ["the cat sat on the mat", "the dog ate the hat"] * 12
    moods = {"text": ["good food", "bad food", "good wine", "bad wine"] * 8, "mood": ["happy", "sad"] * 16}
    out = tmp_path_factory.mktemp("playground")
    return {
        "texts": ur.fit({"x": ["the cat sat.", "the dog ate."] * 12}, model="gru", out=out / "t", quiet=True, **_PLAIN),
        "load": ur.fit(load, target="load", horizon=3, model="lstm", out=out / "l", quiet=True, **_PLAIN),
        "words": ur.fit({"x": words}, model="gru", tokens="words", out=out / "w", quiet=True, **_PLAIN),
        "moods": ur.fit(moods, target="mood", model="bigru", out=out / "m", quiet=True, **_PLAIN),
    }


@pytest.fixture(scope="module")
def server(models: dict[str, Trained]) -> Iterator[Loopback]:
    with serving(models) as running:
        yield running


class Page:
    """The playground of a server."""

    def __init__(self, context: Any, server: Loopback) -> None:
        from browser.conftest import Opened

        self.opened, self.server = Opened(context.new_page()), server
        self.page = self.opened.page
        self.page.set_default_timeout(30_000)  # the process that predicts begins at the first table
        self.page.goto(f"http://127.0.0.1:{server.port}/")
        self.page.wait_for_selector("html[data-ready=true]", state="attached")

    def said(self, words: str) -> None:
        self.page.wait_for_selector(f"p[role=status]:has-text({words!r})")

    def choose(self, model: str) -> None:
        self.page.get_by_role("combobox", name="model", exact=True).select_option(model)

    def quiet(self) -> None:
        """Nothing was said on the console, and nobody else was asked."""
        said = [one for one in self.opened.said if "status of 422" not in one]  # a browser's own word on a refusal
        assert said == []
        assert {url.split("/")[2] for url in self.opened.requests} == {f"127.0.0.1:{self.server.port}"}


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Any, server: Loopback) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, color_scheme=request.param)
    yield Page(context, server)
    context.close()


def test_it_reads_writes_and_draws(page: Page, models: dict[str, Trained]) -> None:
    box = page.page.get_by_label("Type and watch")
    box.press_sequentially("the c", delay=10)
    page.page.wait_for_selector("table:has(caption:text-is('The likeliest next tokens')) tbody tr >> nth=4")
    live = models["texts"].stream()
    told = [live.push(letter) for letter in "the c"][-1]
    page.page.wait_for_selector(f"tr:has(th:text-is('x_p')):has-text('{told['x_p']:.3f}')")
    page.page.get_by_label("tokens").fill("20")
    page.page.get_by_label("tokens").press("Enter")
    page.said("tokens written")
    written = page.page.get_by_label("The text that the model wrote").text_content()
    assert written == "".join(models["texts"].generate("the c", length=20, temperature=0.8, seed=0))
    box.press("Backspace")  # the text is read again from its start
    page.said("4 characters read")
    assert page.opened.violations() == []
    page.page.get_by_role("button", name="Look inside").press("Enter")
    page.page.wait_for_selector("[data-view='2'] section:has-text('update') [role=application]")
    assert page.opened.violations() == []
    page.choose("load")
    for n in range(3):
        page.page.get_by_label("load", exact=True).fill(str(10 + n))
        page.page.get_by_label("temp", exact=True).fill("5")
        page.page.get_by_label("temp", exact=True).press("Enter")
        page.said(f"{n + 1} value")
    page.page.wait_for_selector("canvas[aria-label^='The values that came']")
    page.page.get_by_role("combobox", name="state", exact=True).select_option("layer.0.h")
    page.page.locator("[data-view='1'] button:text-is('Show as table')").press("Enter")
    page.page.wait_for_selector("caption:text-is('layer.0.h')", state="attached")
    page.page.get_by_label("load", exact=True).fill("much")
    page.page.get_by_role("button", name="Push").press("Enter")
    page.said("much")
    assert page.opened.violations() == []
    assert page.opened.unreached() == []
    page.choose("moods")  # it reads in both directions: a row is answered as a whole
    page.page.get_by_label("text", exact=True).fill("good food")
    page.page.get_by_label("text", exact=True).press("Enter")
    page.page.wait_for_selector("table:has(caption:text-is('The likeliest labels')) tbody tr >> nth=1")
    page.quiet()


def test_rows_of_a_file_are_pushed_one_by_one(page: Page, models: dict[str, Trained]) -> None:
    page.choose("load")
    assert not page.page.get_by_label("Token of this server").is_visible()
    rows = [{"load": 10 + n % 4, "temp": 5.5} for n in range(25)]
    table = "\r\n".join(['temp,"load"', *(f'{row["temp"]},"{row["load"]}"' for row in rows)]).encode()
    chooser = page.page.get_by_label("A file, or drop it here")
    chooser.set_input_files({"name": "load.csv", "mimeType": "text/csv", "buffer": table})
    page.said("25 values read")
    live = models["load"].stream()
    told = [live.push(row) for row in rows][-1]["load_predicted"]
    page.page.wait_for_selector(f"tr:has(th:text-is('load_predicted')):has-text('{told[0]:.3f}, {told[1]:.3f}')")
    page.page.click("text=Show as table")
    page.page.wait_for_selector("[role=region] tr:has(th:text-is('28'))")  # the last of three steps ahead
    for name, contents, says in (
        ("clip.wav", b"RIFF", "clip.wav: this model reads load, temp, which are not in such a file"),
        ("other.csv", b"a,b\n1,2\n", "no column load, temp"),
        ("broken.csv", b"load,temp\n1,2\n1,warm\n", "row 2 of broken.csv"),
    ):
        chooser.set_input_files({"name": name, "mimeType": "", "buffer": contents})
        page.said(says)
    page.page.click("text=Start again")
    page.said("nothing is read yet")
    page.quiet()


def test_a_sound_and_a_tune_are_read_as_they_would_be_heard(chromium: Any, tmp_path: Path) -> None:
    clips = {"sound": [wav(samples(seed, 4000)) for seed in range(8)], "label": ["low", "high"] * 4}
    (tmp_path / "tunes").mkdir()
    for number in range(4):
        (tmp_path / "tunes" / f"{number}.mid").write_bytes(written(_TUNE, ".mid"))
    models = {
        "sounds": ur.fit(clips, target="label", model="gru", out=tmp_path / "sounds", quiet=True, **_PLAIN),  # type: ignore[arg-type]
        "rolls": ur.fit(tmp_path / "tunes", music="roll", model="gru", out=tmp_path / "rolls", quiet=True, **_PLAIN),  # type: ignore[arg-type]
    }
    with serving(models) as server:
        context = chromium.new_context(color_scheme="dark")
        page, live = Page(context, server), models["sounds"].stream()
        chooser = page.page.get_by_label("A file, or drop it here")
        clip = clips["sound"][5]
        chooser.set_input_files({"name": "clip.wav", "mimeType": "audio/wav", "buffer": clip})
        told = live.push({"sound": clip})
        page.said("47 values read")
        page.page.wait_for_selector(
            f"table:has(caption:text-is('The likeliest labels')) tr:has-text('{told['label_p_high']:.3f}')"
        )
        assert page.opened.violations() == []
        chooser.set_input_files({"name": "clip.wav", "mimeType": "", "buffer": clip[:200]})
        page.said("clip.wav: ends after")
        page.choose("rolls")
        chooser = page.page.get_by_label("A file, or drop it here")
        tune = (tmp_path / "tunes" / "1.mid").read_bytes()
        chooser.set_input_files({"name": "1.mid", "mimeType": "audio/midi", "buffer": tune})
        page.said("values read")
        page.quiet()
        context.close()


def test_a_word_is_read_once_it_has_ended(chromium: Any, server: Loopback, models: dict[str, Trained]) -> None:
    context = chromium.new_context()
    page, live = Page(context, server), models["words"].stream()
    page.choose("words")
    box = page.page.get_by_label("Type and watch")
    box.press_sequentially("the dog", delay=5)
    page.said("3 characters read")
    box.press_sequentially(" ate")
    page.said("7 characters read")
    told = live.push("the dog")
    page.page.wait_for_selector(f"tr:has(th:text-is('x_p')):has-text('{told['x_p']:.3f}')")
    page.quiet()
    context.close()


def test_a_token_is_asked_for_and_used(chromium: Any, models: dict[str, Trained]) -> None:
    with serving({"load": models["load"]}, tokens=(_TOKEN,)) as server:
        context = chromium.new_context()
        page = Page(context, server)
        page.said("asks for a token")
        page.page.get_by_label("Token of this server").fill("wrong")
        page.page.keyboard.press("Enter")
        page.said("missing or wrong")
        page.page.get_by_label("Token of this server").fill(_TOKEN)
        page.page.keyboard.press("Enter")
        page.page.get_by_label("load", exact=True).fill("10")
        page.page.get_by_label("load", exact=True).press("Enter")
        page.said("1 value read")
        assert not page.page.get_by_label("Token of this server").is_visible()
        assert _TOKEN not in page.page.evaluate(
            "JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie"
        )
        assert not any(_TOKEN in url for url in page.opened.requests)
        context.close()


def test_a_connection_that_breaks_is_made_again(chromium: Any, server: Loopback, models: dict[str, Trained]) -> None:
    context = chromium.new_context()
    context.add_init_script(
        "globalThis.WebSocket = class extends WebSocket { constructor(...how) { super(...how); globalThis.last = this; } }"
    )
    page, live = Page(context, server), models["load"].stream()
    page.choose("load")
    for n in (1, 2, 3):
        page.page.get_by_label("load", exact=True).fill(str(n))
        page.page.get_by_label("load", exact=True).press("Enter")
        page.said(f"{n} value")
        told = live.push({"load": n, "temp": None})["load_predicted"][0]
        page.page.wait_for_selector(f"tr:has(th:text-is('load_predicted')):has-text('{told:.3f}')")
        page.page.evaluate("last.close()")
    page.quiet()
    context.close()
