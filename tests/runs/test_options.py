"""An option that has no effect in a run is refused, the same in Python and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from configs import model_config, task_config

from unrolled import api
from unrolled.data.config import DataConfig
from unrolled.declarations import Owner
from unrolled.errors import UsageError, as_flags
from unrolled.runs.config import RunConfig
from unrolled.runs.directory import keep_options
from unrolled.runs.options import given, of_part, options_in, own_options, refuse_idle
from unrolled.training.config import TrainingConfig

TEXTS = {"text": ["the food was good", "bad food", "good", "so bad"] * 4, "label": ["yes", "no"] * 8}
NUMBERS = {"x": [float(n) for n in range(16)], "y": [n > 7 for n in range(16)]}
WAVE = {"wave": [[float(n % 5) for n in range(40)]] * 3}


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (TEXTS, {"quantiles": [0.1]}, "quantiles only works with the task 'forecast'; this run's task is 'classify'."),
        (TEXTS, {"crf": True}, "crf only works with the task 'tag'; this run's task is 'classify'."),
        (TEXTS, {"bptt": 4}, "bptt only works where sequences are trained in pieces; the task 'classify' trains on whole"),
        (TEXTS, {"bptt_gradient": 4}, "bptt_gradient only works where sequences are trained in pieces"),
        (NUMBERS, {"vocabulary": 9}, "vocabulary only works with columns of kind 'symbols' or 'tokens'; this run has"),
        (TEXTS, {"music": "roll"}, "music only works with files that are read as 'abc' or 'midi'."),
        (TEXTS, {"rows_are": "lines"}, "rows_are only works with files that are read as 'text'."),
        (NUMBERS, {"embedding": 4}, "embedding only works with tokens or labels; all inputs are numbers"),
        (TEXTS, {"freeze": False}, "freeze only works with vectors: leave it out"),
        (TEXTS, {"heads": 2}, "heads only works with the model 'bitransformer' or 'deltanet' or 'transformer'; this"),
        (TEXTS, {"coverage": True}, "coverage only works with a model of type 'encoder_decoder'; this run's model is"),
        (TEXTS, {"header": ["a"]}, "header only works with files; this data is in memory"),
        (TEXTS, {"steps": 2, "epochs": 3}, "give only one budget, not steps and epochs"),
        (WAVE, {"pool": "max", "task": "next_step"}, "pool only works with one answer per row"),
        (TEXTS, {"transpose": 2}, "transpose only works with 88-key piano rolls and note events"),
        (TEXTS, {"spec_augment": True}, "spec_augment only works with inputs that have numbers for each step"),
        (TEXTS, {"kmer": 2}, "kmer only works with columns of kind 'symbols'; this run has columns of kind 'category'"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused(
    tmp_path: Path, data: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    target = [name for name in ("label", "y") if name in data]
    asked = {"target": target, "steps": 1, "hidden": 4, "out": tmp_path / "run", **options}
    if "epochs" not in options:
        asked.pop("steps" if "minutes" in options else "", None)
    with pytest.raises(UsageError) as error:
        api.fit(data, **asked)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "run").exists()


def test_a_message_names_the_flag_on_the_command_line(tmp_path: Path) -> None:
    members = [Owner("task", "classify"), Owner("encoding", "tokens")]
    with as_flags(), pytest.raises(UsageError) as error:
        refuse_idle({"label_smoothing": 0.1}, members)
    assert str(error.value) == (
        "--label-smoothing only works with the task 'translate'; this run's task is 'classify'."
    )


def test_an_option_goes_to_its_part_and_to_its_members() -> None:
    asked = given({"model": "gru", "hidden": 8, "lr": None, "min_count": 2, "vocabulary": 100})
    assert asked == {"model": "gru", "hidden": 8, "min_count": 2, "vocabulary": 100}
    assert of_part(asked, "model") == {"name": "gru", "hidden": 8}
    own = own_options(asked, [Owner("encoding", "tokens"), Owner("encoding", "calendar")])
    assert own["encoding.tokens"]["min_count"] == 2
    assert own["encoding.tokens"]["vocabulary"] == 100
    assert "encoding.calendar" not in own


def test_a_size_that_the_data_decided_is_no_option_of_the_user() -> None:
    """A linear window has as many ``steps`` as it reads; those of the user are steps of training."""
    own = {"solved.linear_window": {"steps": 64, "method": "windows"}}
    model = model_config().model_copy(update={"own": own})
    config = RunConfig(
        task=task_config(name="forecast", horizon=3), data=DataConfig(), model=model, training=TrainingConfig(steps=2)
    )
    assert options_in(config, ["steps", "method", "horizon"]) == {"steps": 2, "horizon": 3}
    keep_options(Path("run"), config, {"steps": 2, "horizon": 3})
    with pytest.raises(UsageError, match="was started with steps = 2, not 64"):
        keep_options(Path("run"), config, {"steps": 64})


def test_an_unknown_option_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match=r"unknown option learning_rate. Did you mean lr\?"):
        api.fit("nowhere.csv", learning_rate=1)  # type: ignore[call-arg]
