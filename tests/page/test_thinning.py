"""What is left out of a picture is what nobody could see."""

from __future__ import annotations

import numpy as np

from unrolled.page.thinning import MOST, envelope, spaced, thinned


def test_a_long_line_keeps_its_ends_its_spikes_and_its_gaps() -> None:
    xs, ys = np.linspace(0, 400, 100_000), np.zeros(100_000)
    ys[31_234], ys[77_777] = 5.0, -7.0
    ys[50_000:60_000] = np.nan
    shown = thinned(xs, ys)
    assert len(shown) <= MOST + 4
    assert {0, 31_234, 77_777, 99_999} <= {*shown.tolist()}
    assert np.isnan(ys[shown]).any()
    assert (np.diff(shown) > 0).all()


def test_a_short_line_is_left_as_it_is() -> None:
    assert thinned(np.arange(MOST), np.arange(MOST)).tolist() == list(range(MOST))


def test_a_line_that_turns_back_loses_only_points_on_the_same_spot() -> None:
    angle = np.linspace(0, 40 * np.pi, 50_000)
    shown = thinned(100 + 90 * np.cos(angle), 100 + 90 * np.sin(angle))
    assert 100 < len(shown) <= MOST


def test_a_cloud_shows_one_dot_for_each_spot_and_none_without_a_value() -> None:
    xs = np.tile(np.arange(10.0), 10_000)
    ys = np.where(xs == 3, np.nan, 1.0)
    assert xs[spaced(xs, ys)].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_band_keeps_its_widest_places() -> None:
    xs, low = np.linspace(0, 300, 50_000), np.zeros(50_000)
    high = np.ones(50_000)
    low[12_345], high[12_346] = -4, 9
    x, least, greatest = envelope(xs, low, high)
    assert len(x) <= 301
    assert (least.min(), greatest.max()) == (-4, 9)
