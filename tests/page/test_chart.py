"""A chart puts known values where they belong, and never shows a missing one."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from unrolled.errors import UsageError
from unrolled.page.chart import Chart, picture

SVG = "{http://www.w3.org/2000/svg}"


class Drawn:
    """A picture, to be asked what stands in it."""

    def __init__(self, svg: str) -> None:
        self.svg = svg
        self.root = ElementTree.fromstring(svg)

    def group(self, name: str) -> list[ElementTree.Element]:
        return [of for of in self.root.iter(f"{SVG}g") if of.get("class") == name]

    def points(self, name: str, nth: int = 0) -> list[tuple[float, float]]:
        """The corners of the first path of a mark."""
        data = self.group(name)[nth].find(f"{SVG}path").get("d")  # type: ignore[union-attr]
        return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", data or "")]

    def places(self, *texts: str) -> list[tuple[float, float]]:
        """Where texts stand."""
        found = {of.text: of for of in self.root.iter(f"{SVG}text")}
        return [(float(found[text].get("x", "")), float(found[text].get("y", ""))) for text in texts]

    @property
    def texts(self) -> list[str]:
        return [of.text or "" for of in self.root.iter(f"{SVG}text")]

    @property
    def said(self) -> str:
        return self.root.findtext(f"{SVG}desc") or ""


def test_a_line_goes_through_its_values_where_the_ticks_say() -> None:
    drawn = Drawn(Chart("Learning", x="step", y="loss").line([0, 4, 10], [0.0, 1.0, 0.5]).to_svg())
    points = drawn.points("line")
    ((middle, _),) = drawn.places("4")
    (first, _), (second, _), (last, _) = points
    assert [second, (second - first) * 10] == pytest.approx([middle, (last - first) * 4], abs=2)
    (_, half), (_, one) = drawn.places("0.5", "1.0")
    assert [y for _, y in points[1:]] == pytest.approx([one - 4, half - 4], abs=0.2)


def test_a_picture_scales_and_says_what_it_shows() -> None:
    drawn = Drawn(Chart("Learning", x="step", y="loss").line([0, 1], [2.0, np.nan], "train").mark(1, "best").to_svg())
    assert drawn.root.get("role") == "img" and drawn.root.get("aria-label") == "Learning"
    assert drawn.root.get("viewBox", "").startswith("0 0 436 ") and drawn.root.get("width") is None
    assert drawn.root.findtext(f"{SVG}title") == "Learning"
    assert drawn.said == ("x: step. y: loss. train: 1 value from 2 to 2, and 1 without a value. A line marks best.")


def test_a_missing_value_is_a_gap() -> None:
    svg = Chart().line(range(5), [1, 2, None, 3, 4]).to_svg()
    data = Drawn(svg).group("line")[0][0].get("d", "")
    assert data.count("M") == 2
    assert "nan" not in svg.lower().replace("without", "")


def test_what_is_not_positive_has_no_place_on_a_logarithmic_axis_and_is_counted() -> None:
    drawn = Drawn(Chart(y_log=True).line([0, 1, 2, 3], [1, 0, 10, 100]).to_svg())
    ys = [y for _, y in drawn.points("line")]
    assert len(ys) == 3
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    assert "1 not positive" in drawn.said


def test_a_band_lies_between_its_values_in_the_colour_of_its_line() -> None:
    chart = Chart(y_range=(0, 10)).line([0, 1, 2], [5, 5, 5], "forecast").band([0, 1, 2], [2, 4, 4], [8, 6, 6], "90 %")
    drawn = Drawn(chart.to_svg())
    middle, corners = drawn.points("line")[0][1], drawn.points("band")
    assert len(corners) == 6
    assert corners[0][1] - middle == pytest.approx(middle - corners[-1][1], abs=0.2)
    colours = [drawn.group(of)[0][0].get("fill" if of == "band" else "stroke") for of in ("band", "line")]
    assert colours[0] == colours[1]
    assert {"forecast", "90 %"} <= {*drawn.texts}


def test_equal_names_share_a_style_and_stand_once_in_the_legend() -> None:
    chart = Chart().line([0, 1], [0, 1], "a").line([2, 3], [0, 1], "a").line([0, 3], [1, 1], "b")
    drawn = Drawn(chart.to_svg())
    first, second, third = (of[0].attrib for of in drawn.group("line"))
    assert first["stroke"] == second["stroke"] != third["stroke"]
    assert "stroke-dasharray" in third and "stroke-dasharray" not in first
    assert drawn.texts.count("a") == 1


def test_bars_begin_at_zero_and_have_their_length() -> None:
    drawn = Drawn(Chart().bars(["a", "b", "c"], [1.0, 4.0, -2.0]).to_svg())
    tall = [float(of.get("height", "")) for of in drawn.group("bars")[0].iter(f"{SVG}rect")]
    assert [of / tall[0] for of in tall] == pytest.approx([1, 4, 2], abs=0.02)
    tops = [float(of.get("y", "")) for of in drawn.group("bars")[0].iter(f"{SVG}rect")]
    assert tops[0] + tall[0] == pytest.approx(tops[2], abs=0.2), "both sides of zero"


def test_bars_over_names_lie_and_read_downwards() -> None:
    drawn = Drawn(Chart(x="accuracy").bars([0.5, 1.0], ["majority", "lstm"]).to_svg())
    wide = [float(of.get("width", "")) for of in drawn.group("bars")[0].iter(f"{SVG}rect")]
    assert wide[1] == pytest.approx(2 * wide[0], abs=0.2)
    (_, first), (_, second) = drawn.places("majority", "lstm")
    assert first < second
    assert {"0.5", "1"} <= {*drawn.texts}


def test_bars_of_two_series_stand_beside_each_other() -> None:
    drawn = Drawn(Chart().bars([1, 2], [3, 3], "a").bars([1, 2], [3, 3], "b").to_svg())
    boxes = [
        [float(of.get(at, "")) for at in ("x", "width")] for g in drawn.group("bars") for of in g.iter(f"{SVG}rect")
    ]
    (ax, aw), _, (bx, _), _ = boxes
    assert bx == pytest.approx(ax + aw, abs=0.2)


def test_dots_have_whiskers_only_where_these_are_known() -> None:
    drawn = Drawn(Chart().dots([0.5, 0.7], ["a", "b"], spread=[0.1, np.nan]).to_svg())
    whiskers, points = drawn.group("dots")[0]
    assert whiskers.get("class") == "whisker" and whiskers.get("d", "").count("M") == 1
    assert points.get("d", "").count("M") == 2
    (left, y), (right, _) = drawn.points("dots")
    dots = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)", points.get("d", ""))]
    assert (left + right) / 2 == pytest.approx(dots[0][0], abs=0.2)
    assert y == dots[0][1]


def test_a_matrix_writes_its_numbers_and_strikes_out_what_is_missing() -> None:
    chart = Chart("Confusion").cells([[3, 0], [np.nan, 1]], rows=["cat", "dog"], columns=["cat", "dog"])
    drawn = Drawn(chart.to_svg())
    cells = drawn.group("cells")[0]
    assert [of.text for of in cells.iter(f"{SVG}text")] == ["3", "1"], "zero has neither shade nor number"
    struck = [of for of in cells.iter(f"{SVG}path") if of.get("class") == "no-value"]
    assert struck[0].get("d", "").count("M") == 1
    shades = {of.get("d"): of.get("stroke-opacity") for of in cells[0]}
    assert shades == {"M1 1.5h1": "0.156", "M0 0.5h1": "0.5"}, "the deepest on which ink can be read"
    assert "0 to 3, ╱ no value" in drawn.texts
    assert "1 without a value" in drawn.said


def test_probabilities_have_the_same_shades_in_every_chart() -> None:
    drawn = Drawn(Chart().cells([[0.51234, 0.07]], most=1).to_svg())
    assert [of.text for of in drawn.group("cells")[0].iter(f"{SVG}text")] == ["0.51", "0.07"]
    assert {of.get("stroke-opacity") for of in drawn.group("cells")[0][0]} == {"0.25", "0.0312"}
    assert "0 to 1" in drawn.texts


def test_a_matrix_with_both_signs_has_two_colours() -> None:
    drawn = Drawn(Chart().cells(np.array([[-1.0, 1.0]])).to_svg())
    inks = [of.get("stroke", "") for of in drawn.group("cells")[0][0]]
    assert ["--low" in inks[0], "--high" in inks[1]] == [True, True]
    assert "−1 to 1" in drawn.texts


def test_a_large_matrix_shows_the_most_extreme_of_each_block() -> None:
    values = np.zeros((500, 3_000))
    values[250, 1_500] = 9.0
    svg = Chart().cells(values).to_svg()
    assert len(svg) < 10_000
    assert len(Drawn(svg).group("cells")[0][0]) == 1


def test_long_series_make_small_pictures() -> None:
    noise = np.random.default_rng(0).normal(size=200_000)
    svg = Chart().line(np.arange(200_000), noise, "a").band(np.arange(200_000), noise - 1, noise + 1).to_svg()
    assert len(svg) < 40_000


def test_dates_stand_on_an_axis_of_time() -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(366)]
    drawn = Drawn(Chart().line(days, range(366)).mark(dt.date(2024, 7, 1), "half").to_svg())
    assert "2024-07" in drawn.texts or "2024-01" in drawn.texts
    (left, _), *_, (right, _) = drawn.points("line")
    assert drawn.points("rule")[0][0] == pytest.approx(left + (right - left) * 182 / 365, abs=0.3)


def test_user_text_is_only_text() -> None:
    svg = Chart("<script>alert(1)</script>", x="a & b").line([0, 1], [0, 1], "<b>").label(0, 1, '"x"').to_svg()
    assert "<script" not in svg
    assert "<b>" in Drawn(svg).texts


def test_a_chart_without_values_says_so() -> None:
    for chart in (Chart(), Chart().line([], []), Chart().line([1], [np.nan]), Chart().bars([], [])):
        assert "no values" in Drawn(chart.to_svg()).texts


def test_many_names_are_slanted_and_thinned() -> None:
    names = [f"a long name {n}" for n in range(200)]
    drawn = Drawn(Chart().bars(names, np.ones(200)).to_svg())
    shown = [of for of in drawn.root.iter(f"{SVG}text") if (of.text or "").startswith("a long")]
    assert 5 < len(shown) < 40
    assert all("rotate" in of.get("transform", "") for of in shown)


def test_several_charts_stand_in_rows_with_their_axes_below_each_other() -> None:
    one, two = Chart("one").line([0, 1], [0, 1]), Chart("two").line([0, 1], [0, 100_000.0])
    drawn = Drawn(picture([one, two], "Both"))
    assert [drawn.points("line", n)[0][0] for n in (0, 1)] == [drawn.points("line")[0][0]] * 2
    assert {"Both", "one", "two"} <= {*drawn.texts}
    beside = Drawn(picture([one, two], columns=2))
    assert beside.points("line", 0)[0][0] < beside.points("line", 1)[0][0] - 400


def test_a_mark_needs_as_many_x_as_y() -> None:
    with pytest.raises(UsageError, match="a mark has 2 values of x and 3 of y; give as many of both"):
        Chart().line([0, 1], [0, 1, 2])


def test_words_on_marks_have_a_halo_and_stand_clear_of_a_bars_value() -> None:
    chart = Chart("worth", y_range=(0, 3)).bars([0, 1], [3.0, -0.5]).label(0, 3.0, "awful", rise=18).mark(1, "here")
    svg = chart.to_svg()
    texts = [one for one in re.findall("<text[^>]*>[^<]*</text>", svg) if one.split(">")[1].split("<")[0]]
    drawn = [one for one in texts if "paint-order" in one]
    assert [one.split(">")[1].split("<")[0] for one in drawn] == ["3", "−0.5", "awful", "here"]
    down = [float(re.findall(' y="([^"]*)"', one)[0]) for one in drawn]
    assert down[0] - down[2] >= 11


def test_values_of_bars_never_stand_on_each_other() -> None:
    values = [-0.012461, -0.019712, -0.023041, -0.024054, -0.026682, -0.038551]
    for count, expected in ((4, "−0.01246"), (8, "−0.012"), (20, "")):
        svg = Chart().bars(range(count), (values * 4)[:count]).to_svg()
        told = re.findall('text-anchor="middle"[^>]*paint-order[^>]*>([^<]*)<', svg)
        assert told[:1] == ([expected] if expected else [])
