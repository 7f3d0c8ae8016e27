"""``compare`` on runs that are there: text, JSON, a picture, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli.support import SMALL, Done, Runs

Unrolled = Callable[..., Done]


@pytest.fixture(scope="module")
def gru(runs: Runs) -> Path:
    from unrolled.cli.main import main

    out = runs.folder / "runs" / "gru"
    words = ["fit", runs.file("reviews.csv"), "--target", "sentiment", "--model", "gru", *SMALL, "--out", out]
    assert main([str(word) for word in words]) == 0
    return out


def test_text_json_and_picture(unrolled: Unrolled, runs: Runs, gru: Path, tmp_path: Path) -> None:
    done = unrolled("compare", gru, runs.both, "--plot", tmp_path / "a.svg")
    assert done.code == 0
    assert done.out.startswith("valid split, 4 sequences")
    assert done.err.splitlines()[-1] == f"picture: {tmp_path / 'a.svg'}"
    picture = ElementTree.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    assert str(gru) in {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    told = unrolled("compare", gru, runs.both, "--json").json
    assert (told["schema"], told["split"], list(told["runs"])) == (1, "valid", [str(gru), str(runs.both)])
    assert {"metrics", "errors", "differences", "weights", "bytes", "microseconds"} < told["runs"][str(gru)].keys()


def test_a_file_may_be_given(unrolled: Unrolled, runs: Runs, gru: Path) -> None:
    told = unrolled("compare", gru, runs.both, "--data", runs.file("reviews.csv"), "--json").json
    assert (told["split"], told["cases"]) == (str(runs.file("reviews.csv")), "40 sequences")


def test_what_is_refused(unrolled: Unrolled, runs: Runs, gru: Path) -> None:
    for words, code, text in (
        ([], 2, "compare needs at least two runs, got 0"),
        ([gru], 2, "compare needs at least two runs, got 1"),
        ([gru, gru], 2, f"{gru} is given twice"),
        ([gru, runs.load], 2, "the task of the first is 'classify', that of the second 'forecast'"),
        ([gru, runs.folder], 4, "is not a run"),
        ([gru, runs.both, "--plot", "a.png"], 2, "--plot writes .svg files, not a.png"),
        ([gru, runs.both, "--data", "nowhere.csv"], 3, "there is no such file"),
    ):
        done = unrolled("compare", *words)
        assert (done.code, done.out) == (code, "")
        assert text in done.err
