"""``compare`` on runs that are there: text, JSON, a picture, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli.support import SMALL, Done, Runs

Unrolled = Callable[..., Done]


@pytest.fixture(scope="module")
def pair(runs: Runs) -> tuple[Path, Path]:
    """Two runs with a test split of eight reviews."""
    from unrolled.cli.main import main

    made = runs.folder / "runs" / "gru", runs.folder / "runs" / "bigru"
    for out in made:
        asked = ["--target", "sentiment", "--test", "0.2", "--model", out.name, "--plan", "fixed", *SMALL]
        assert main([*map(str, ["fit", runs.file("reviews.csv"), *asked, "--out", out])]) == 0
    return made


def test_text_json_and_picture(unrolled: Unrolled, runs: Runs, pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = unrolled("compare", *pair, "--plot", tmp_path / "a.svg")
    assert done.code == 0
    assert done.out.startswith("test split, 8 sequences")
    assert done.err.splitlines()[-1] == f"picture: {tmp_path / 'a.svg'}"
    picture = ElementTree.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    told = [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.endswith("/runs/gru") for text in told)  # a long path keeps its end
    told = unrolled("compare", *pair, "--json").json
    assert (told["schema"], told["split"], list(told["runs"])) == (1, "test", [str(pair[0]), str(pair[1])])
    assert {"metrics", "errors", "differences", "weights", "bytes", "microseconds"} < told["runs"][str(pair[0])].keys()


def test_a_file_may_be_given(unrolled: Unrolled, runs: Runs, pair: tuple[Path, Path]) -> None:
    told = unrolled("compare", *pair, "--data", runs.file("reviews.csv"), "--json").json
    assert (told["split"], told["cases"]) == (str(runs.file("reviews.csv")), "40 sequences")


def test_what_is_refused(unrolled: Unrolled, runs: Runs, pair: tuple[Path, Path]) -> None:
    for words, code, text in (
        ([], 2, "compare needs at least two runs, got 0"),
        ([pair[0]], 2, "compare needs at least two runs, got 1"),
        ([pair[0], pair[0]], 2, f"{pair[0]} is given twice"),
        ([pair[0], runs.load], 2, "the task of the first is 'classify', that of the second 'forecast'"),
        ([pair[0], runs.folder], 4, "is not a run"),
        ([*pair, "--plot", "a.jpg"], 2, "--plot writes .svg, .png and .html files, not a.jpg"),
        ([*pair, "--data", "nowhere.csv"], 3, "there is no such file"),
    ):
        done = unrolled("compare", *words)
        assert (done.code, done.out) == (code, "")
        assert text in done.err
