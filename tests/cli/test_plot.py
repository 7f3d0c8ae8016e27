"""``predict --plot`` draws what it predicts, and says in a sentence what it cannot draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from cli.support import Done, Runs

Unrolled = Callable[..., Done]


def test_a_forecast_and_labels_are_drawn_beside_the_table(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    for run, file, told in ((runs.load, "load.csv", "80 % interval"), (runs.reviews, "reviews.csv", "good")):
        done = unrolled("predict", run, runs.file(file), "--plot", tmp_path / "a.svg")
        assert done.code == 0
        assert done.out.count("\n") > 2, "the table is still written"
        assert done.err.splitlines()[-1] == f"picture: {tmp_path / 'a.svg'}"
        assert told in "".join(ElementTree.fromstring((tmp_path / "a.svg").read_text("utf-8")).itertext())
    done = unrolled("predict", runs.load, runs.file("load.csv"), "--plot", tmp_path / "a.html")
    assert done.code == 0
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "<svg " in page and "default-src 'none'" in page


def test_what_came_later_is_drawn_beside_a_forecast(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    whole = runs.file("load.csv").read_text().splitlines(keepends=True)
    (tmp_path / "past.csv").write_text("".join(whole[:-2]))
    plot = ("--plot", tmp_path / "a.svg", "--truth", runs.file("load.csv"))
    assert unrolled("predict", runs.load, tmp_path / "past.csv", *plot).code == 0
    assert "what came: 2 values" in (tmp_path / "a.svg").read_text("utf-8")
    alone = unrolled("predict", runs.load, runs.file("load.csv"), "--truth", runs.file("load.csv"))
    assert (alone.code, alone.out) == (2, "") and "give --plot FILE too" in alone.err
    nothing = unrolled("predict", runs.load, runs.file("load.csv"), *plot)
    assert nothing.code == 3 and "--truth is the data again, with what came later" in nothing.err


def test_describe_draws_the_network(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    done = unrolled("describe", runs.load, "--plot", tmp_path / "net.svg")
    assert done.code == 0
    assert "h_0 → [ lstm ]" in done.out and done.err.splitlines()[-1] == f"picture: {tmp_path / 'net.svg'}"
    picture = ElementTree.fromstring((tmp_path / "net.svg").read_text("utf-8"))
    assert [of.get("class") for of in picture.iter()].count("layer") == 3
    assert unrolled("describe", runs.load, "--json").json["sketch"]["reads"]["boxes"] == ["lstm"]


def test_what_cannot_be_drawn_is_refused_before_anything_is_written(
    unrolled: Unrolled, runs: Runs, tmp_path: Path
) -> None:
    for run, file, name, text in (
        (runs.text, "cats.txt", "a.svg", "there is no picture of the answers of 'next_step'"),
        (runs.load, "load.csv", "a.jpg", "--plot writes .svg, .png and .html files, not a.jpg"),
    ):
        done = unrolled("predict", run, runs.file(file), "--plot", tmp_path / name)
        assert (done.code, done.out) == (2, "")
        assert text in done.err
        assert not (tmp_path / name).exists()
