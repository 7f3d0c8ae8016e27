"""Windows by their own scale: against plain loops, and what a forecast gains by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from configs import task_options
from samples import SAMPLES, sequences

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.batches.window_scale import by_window
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.plans.windows import Windows
from unrolled.tasks.forecast import Forecast


def test_each_channel_of_each_window_by_hand() -> None:
    random = np.random.default_rng(0)
    x = random.normal(3, 5, (4, 6, 3)).astype(np.float32)
    known = random.random((4, 6, 2)) < 0.7
    known[3, :, 1] = False
    known[2, :, 0], x[2, :, 0] = True, 7.0  # nothing moves
    scaled, scale = by_window(x, known)
    assert np.array_equal(scaled[..., 2], x[..., 2])  # a flag stays
    for b, c in np.ndindex(4, 2):
        values = x[b, known[b, :, c], c].astype(np.float64)
        mean, deviation = (values.mean(), max(values.std(), 0.01)) if len(values) else (0.0, 0.01)
        assert scale[b, :, c] == pytest.approx([mean, deviation], rel=1e-5)
        expected = np.where(known[b, :, c], (x[b, :, c] - mean) / deviation, 0.0)
        assert scaled[b, :, c] == pytest.approx(expected, abs=1e-5)


def forecast(rows: list[list[float | None]]) -> tuple[Forecast, Batch]:
    """The task by windows, and one batch of the last 4 steps before the last 2 of each row."""
    sample = replace(SAMPLES["forecast"], data=sequences({"wave": rows}, {"wave": "number"}), options={"horizon": 2})
    roles = Forecast.roles(sample.question())
    coder = Preprocessor.fit(sample.data, roles, Preparation(by_window=True))
    examples = coder.encode(sample.data)
    ends = examples.steps() - 2
    (batch,) = Loader(examples, Windows(np.arange(len(ends)), ends, 4, batch=len(ends)))
    return Forecast(task_options("forecast", horizon=2), coder), batch


def test_level_and_size_of_a_window_are_taken_from_it_and_given_back() -> None:
    base = [1.0, 2.0, 0.0, 3.0, 1.0, 5.0]
    task, batch = forecast([base, [10 + 3 * v for v in base], [None, 2.0, None, 3.0, 1.0, 5.0]])
    x = batch.inputs["wave"]
    assert torch.allclose(x[0], x[1], atol=1e-4)
    assert x[2, :, 0].tolist() == pytest.approx([0, -1, 0, 1], abs=1e-4)  # what is missing is the window's mean
    outputs = torch.tensor([[0.5, -1.0]]).expand(3, 2)
    answers = torch.tensor(task.answers(outputs, batch)["wave_predicted"])
    assert answers[0].tolist() == pytest.approx([3 + np.std(base[:4]) * o for o in (0.5, -1.0)], abs=1e-4)
    assert answers[1].tolist() == pytest.approx((10 + 3 * answers[0]).tolist(), abs=1e-3)
    assert answers[2].tolist() == pytest.approx([3 + 0.5 * o for o in (0.5, -1.0)], abs=1e-4)
    again = Preprocessor.from_files(task.coder.to_files())
    assert again.by_window and not SAMPLES["forecast"].ask().coder.by_window


def test_a_gaussian_grows_with_its_window() -> None:
    task, batch = forecast([[1.0, 2.0, 0.0, 3.0, 1.0, 5.0], [10.0, 20.0, 0.0, 30.0, 10.0, 50.0]])
    gaussian = Forecast(task_options("forecast", horizon=2, distribution="gaussian"), task.coder)
    sigma = gaussian.answers(torch.zeros(2, 4), batch)["wave_sigma"]
    assert sigma[1] == pytest.approx([10 * s for s in sigma[0]], rel=1e-4)
    assert sigma[0] == pytest.approx([np.std([1, 2, 0, 3])] * 2, rel=1e-4)


def test_such_a_model_is_asked_whole_windows(tmp_path: object) -> None:
    import unrolled as ur
    from unrolled.errors import UsageError

    waves = {"wave": [np.sin(np.arange(40.0) + n).tolist() for n in range(3)]}
    options = {"horizon": 2, "steps": 2, "hidden": 4, "scale": "window", "out": f"{tmp_path}/run"}
    trained = ur.load(ur.fit(waves, **options).folder)
    assert {"mase", "smape_percent"} <= trained.metrics["valid"].keys()
    assert {"mase", "smape_percent"} <= trained.baselines["valid"]["last value"].keys()
    assert isinstance(trained.predict(waves), pa.Table)
    with pytest.raises(
        UsageError,
        match=r"^this model scales each window by all its steps \(scale window\), so it cannot stream: use predict$",
    ):
        trained.stream()
    with pytest.raises(UsageError, match="^quantiles and distribution cannot be combined; give only one of them$"):
        ur.fit(waves, **{**options, "quantiles": [0.1], "distribution": "gaussian"})
    with pytest.raises(
        UsageError, match="^scale only works with the task 'forecast'; this run's task is 'next_step'.$"
    ):
        ur.fit(waves, task="next_step", scale="window")
