from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from looking import looked_at
from samples import SAMPLES

from unrolled.views.fan import fan, next_numbers
from unrolled.views.looked import ROW, steps_of


def grids(data: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """(O, H, C) forecasts, and what came."""
    shape = (len(data["ends"]), data["ahead"], len(data["channels"]))
    came = np.full(shape, np.nan)
    for o, end in enumerate(data["ends"]):
        later = data["values"][end - data["start"] :][: shape[1]]
        came[o, : len(later)] = later
    return data[name].reshape(shape), came


def test_a_forecast_is_made_from_each_origin_and_the_last_is_that_of_predict() -> None:
    looked = looked_at("forecast", row=4)
    section, _ = fan(looked)
    data = section.data
    wave = SAMPLES["forecast"].data.column("wave")[4].as_py()
    np.testing.assert_allclose(data["values"][:, 0], wave[data["start"] :], atol=1e-6)
    assert data["channels"] == ["wave"] and data["ahead"] == 3 and data["ends"][-1] == len(wave)
    middle, came = grids(data, "middle")
    traced = list(data["ends"]).index(len(wave) - 3)  # the trace ends where a forecast can still be judged
    np.testing.assert_allclose(middle[traced, :, 0], looked.trace.answers["wave_predicted"], rtol=1e-4)
    np.testing.assert_allclose(came[traced, :, 0], wave[-3:], atol=1e-6)
    assert np.isnan(came[-1]).all()  # nobody knows what comes after the row


@pytest.mark.parametrize("sample", ["forecast quantiles", "forecast gaussian"])
def test_coverage_is_the_share_of_the_known_values_between_the_ends(sample: str) -> None:
    section, _ = fan(looked_at(sample, row=4))
    data = section.data
    (band,) = data["bands"]
    assert band["percent"] == 80
    shape = (len(data["ends"]), data["ahead"], 2)
    low, high, (_, came) = band["low"].reshape(shape), band["high"].reshape(shape), grids(data, "middle")
    inside = known = 0
    for o in range(shape[0]):
        for h in range(shape[1]):
            for c in range(2):
                if not np.isnan(came[o, h, c]):
                    known += 1
                    inside += bool(low[o, h, c] <= came[o, h, c] <= high[o, h, c])
    assert f"The 80 % intervals hold {inside} of {known} values that came ({inside / known:.0%})." in section.body


def test_residuals_by_step_ahead_are_a_picture() -> None:
    section, residuals = fan(looked_at("forecast quantiles", row=4))
    assert residuals.folded and f"From {len(section.data['ends'])} origins" in residuals.body
    middle, came = grids(section.data, "middle")
    sizes = np.nanmean(np.abs(came - middle)[..., 0], 0)
    assert "<svg" in residuals.body and len(sizes) == 2 and "mean absolute error" in residuals.body


def test_covariates_that_are_known_ahead_end_the_origins() -> None:
    section, _ = fan(looked_at("forecast ahead", row=8))
    assert section.data["ends"][-1] == len(SAMPLES["forecast ahead"].data.column("wave")[8]) - 3
    assert np.isnan(section.data["values"]).any()  # gaps stay gaps


def test_the_next_number_is_expected_at_each_step_in_the_units_of_the_data() -> None:
    looked = looked_at("next_step real", row=4)
    (section,) = next_numbers(looked)
    data, wave = section.data, SAMPLES["next_step real"].data.column("wave")[4].as_py()
    np.testing.assert_allclose(data["values"][:, 0], wave, atol=1e-5)
    assert section.group == ROW and len(data["ends"]) == looked.trace.steps == len(wave) - 1
    # the answer after the last step is that of the trace
    assert data["middle"][-1, 0] == pytest.approx(looked.trace.answers["wave_predicted"][0], rel=1e-4)
    (band,) = data["bands"]
    sigma = looked.trace.answers["wave_sigma"][0]
    assert band["high"][-1, 0] - data["middle"][-1, 0] == pytest.approx(1.2816 * sigma, rel=1e-3)
    assert not [*fan(looked)] and not [*next_numbers(looked_at("next_step several"))]


def test_steps_of_a_window_with_its_own_scale_are_in_the_units_of_the_data() -> None:
    sample = replace(SAMPLES["forecast"], options={"horizon": 3, "scale": "window"})
    looked = looked_at(sample, row=4)
    data = sample.data
    pairs = zip(
        *(data.column(name)[4].as_py()[-3 - looked.trace.steps : -3] for name in ("wave", "other")), strict=True
    )
    for said, pair in zip(steps_of(looked), pairs, strict=True):
        np.testing.assert_allclose([float(one) for one in said.split(" · ")], pair, rtol=1e-3, atol=1e-6)


def test_a_step_without_a_value_says_so() -> None:
    said = steps_of(looked_at("forecast ahead", row=4))
    assert any(one.startswith("no value") for one in said) and not any("None" in one for one in said)
