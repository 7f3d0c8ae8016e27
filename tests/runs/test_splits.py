from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from configs import data_config, model_config, task_config
from samples import sequences

import unrolled as ur
from unrolled.data.encodings.facets import Numbers
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.runs import splits
from unrolled.runs.config import RunConfig
from unrolled.runs.splits import FileSplit, LastStep, Share, Splits, parse, split_up
from unrolled.training.config import TrainingConfig

LABELLED = Roles(("x",), "y", One())
FORECAST = Roles(("x",), "x", Horizon(2), joined=("x",))
TEXTS = Roles(("text",), "text", Next())


def split(data: Sequences, roles: Roles, said: list[str] | None = None, **options: Any) -> Splits:
    horizon = roles.form.horizon or None
    config = RunConfig(
        task=task_config(name="forecast", horizon=horizon) if horizon else task_config(name="regress"),
        data=data_config(**{name: value for name, value in options.items() if name in ("valid", "test")}),
        model=model_config(),
        training=TrainingConfig(**{"steps": 5, **{n: v for n, v in options.items() if n not in ("valid", "test")}}),
    )
    return split_up(data, config, roles, (said if said is not None else []).append)


def table(rows: int) -> Sequences:
    return sequences({"x": list(range(rows)), "y": [float(n) for n in range(rows)]}, {"x": "number", "y": "number"})


def rows(part: Sequences | None) -> list[int]:
    assert part is not None
    values: list[int] = part.table.column("x").to_pylist()
    return values


def test_a_tenth_is_held_out_and_nothing_for_test() -> None:
    said: list[str] = []
    parts = split(table(40), LABELLED, said)
    assert len(rows(parts.valid)) == 4
    assert sorted(rows(parts.train) + rows(parts.valid)) == list(range(40))
    assert parts.test is None
    assert said == ["valid: 4 of 40 rows, held out at random"]


def test_of_very_many_rows_50_000_are_held_out_unless_a_share_is_asked_for() -> None:
    said: list[str] = []
    assert len(rows(split(table(600_000), LABELLED, said).valid)) == 50_000
    assert said == ["valid: 50000 of 600000 rows, held out at random"]
    assert len(rows(split(table(600_000), LABELLED, valid=0.1).valid)) == 60_000


@pytest.mark.parametrize(("valid", "test"), [(0.25, 0.5), ("0.25", "0.5")])
def test_shares_are_of_what_is_left(valid: Any, test: Any) -> None:
    parts = split(table(40), LABELLED, valid=valid, test=test)
    assert len(rows(parts.test)) == 20
    assert len(rows(parts.valid)) == 5
    assert sorted(rows(parts.train) + rows(parts.valid) + rows(parts.test)) == list(range(40))


def test_the_seed_chooses() -> None:
    one, same, other = (rows(split(table(40), LABELLED, seed=seed).valid) for seed in (1, 1, 2))
    assert one == same != other


def test_a_file_may_hold_a_split(tmp_path: Path) -> None:
    (tmp_path / "later.csv").write_text("x,y\n7,1.5\n9,\n")
    parts = split(table(6), LABELLED, valid=str(tmp_path / "later.csv"))
    assert rows(parts.train) == list(range(6))
    assert rows(parts.valid) == [7]  # the other row has no target
    with pytest.raises(DataError, match="never.csv: there is no such file"):
        split(table(6), LABELLED, valid=str(tmp_path / "never.csv"))


def test_rows_without_a_target_are_left_out_and_told() -> None:
    said: list[str] = []
    data = sequences({"x": [1, 2, 3, 4], "y": [1.0, None, 3.0, 4.0]}, {"x": "number", "y": "number"})
    parts = split(data, LABELLED, said, valid=0.3)
    assert sorted(rows(parts.train) + rows(parts.valid)) == [1, 3, 4]
    assert said[0] == "1 of 4 rows have no y and are left out"


def test_the_future_is_held_out_by_time() -> None:
    data = sequences({"x": [[float(n) for n in range(20)], [1.0] * 10]}, {"x": "number"})
    parts = split(data, FORECAST, valid=0.25, test=0.2)
    assert parts.valid is not None
    assert parts.test is not None
    assert [len(cell) for cell in parts.train.table.column("x").to_pylist()] == [12, 6]
    assert [len(cell) for cell in parts.valid.table.column("x").to_pylist()] == [16, 8]
    assert parts.valid.first is not None
    assert parts.valid.first.tolist() == [12, 6]
    assert parts.test.first is not None
    assert parts.test.first.tolist() == [16, 8]


def test_few_texts_are_cut_at_their_end_and_many_are_chosen_among() -> None:
    few = sequences({"text": ["abcdefghij" * 2, "klmnopqrst"]}, {"text": "tokens"})
    parts = split(few, TEXTS, valid=0.2)
    assert parts.valid is not None
    assert parts.train.table.column("text").to_pylist() == ["abcdefghijabcdef", "klmnopqr"]
    assert parts.valid.table.column("text").to_pylist() == ["ghij", "st"]
    assert parts.valid.first is None
    many = sequences({"text": [f"text {n}" for n in range(10)]}, {"text": "tokens"})
    parts = split(many, TEXTS)
    assert parts.valid is not None
    assert (len(parts.train), len(parts.valid)) == (9, 1)


def test_nothing_may_be_held_out_where_the_budget_says_when_to_stop() -> None:
    said: list[str] = []
    parts = split(table(4), LABELLED, said, valid=0.0)
    assert (rows(parts.train), parts.valid) == ([0, 1, 2, 3], None)
    assert said == ["valid: nothing is held out, so the last weights are kept"]
    with pytest.raises(UsageError, match="without validation data nothing ends training: set steps, epochs or minutes"):
        split(table(4), LABELLED, valid=0, steps=None)


def test_a_single_row_cannot_be_split() -> None:
    with pytest.raises(
        DataError, match=r"sample.csv: has only one row, so no rows can be held out for validation \(give"
    ):
        split(table(1), LABELLED)


@pytest.mark.parametrize("how", ["1.5", "1", "-0.1", "nan", "inf", 3.0])
def test_a_share_out_of_range_is_named(how: Any) -> None:
    with pytest.raises(UsageError, match=f"{how} is neither a share, at least 0 and below 1, nor a file"):
        parse(how)


def test_a_path_is_no_share() -> None:
    assert parse("data/1e3.csv") == FileSplit("data/1e3.csv")
    assert parse("0.5") == parse(0.5) == Share(0.5)


def test_of_very_long_data_only_as_much_is_held_out_as_judges_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "_ENOUGH", 8)
    long = sequences({"text": ["abcd" * 100]}, {"text": "tokens"})
    said: list[str] = []
    parts = split(long, TEXTS, said)
    assert parts.valid is not None
    assert parts.valid.table.column("text").to_pylist() == ["abcd" * 2]
    assert said == ["valid: the last 2 % of each sequence"]
    asked = split(long, TEXTS, valid=0.1)
    assert asked.valid is not None
    assert asked.valid.table.column("text").to_pylist() == ["abcd" * 10]
    assert len(rows(split(table(200), LABELLED).valid)) == 20


def test_a_column_that_is_not_read_does_not_say_how_rows_are_cut() -> None:
    columns = {"text": ["abcdefghij", "klmnopqrst"], "x": [[1.0, 2.0], [3.0]], "z": [[1.0], [2.0, 3.0]]}
    data = sequences(columns, {"text": "tokens", "x": "number", "z": "number"})
    parts = split(data, TEXTS, valid=0.2)
    assert parts.valid is not None
    assert parts.train.table.column("text").to_pylist() == ["abcdefgh", "klmnopqr"]
    assert parts.valid.table.column("text").to_pylist() == ["ij", "st"]


def test_numbers_are_held_out_at_random() -> None:
    """A value that comes again and again is held out no oftener than one that comes once."""
    data = sequences({"x": list(range(1000)), "y": [0.0] * 500 + list(range(500))}, {"x": "number", "y": "number"})
    held = split(data, LABELLED).valid
    assert held is not None
    assert 30 <= sum(value > 0 for value in held.table.column("y").to_pylist()) <= 70


def test_the_last_step_of_each_sequence_may_be_held_out() -> None:
    data = sequences({"x": [["a", "b", "c", "d"], ["b", "c"], ["c", "d", "b"]]}, {"x": "tokens"})
    roles = Roles(("x",), "x", Next())
    said: list[str] = []
    parts = split(data, roles, said, valid="last", test="last")
    assert rows(parts.train) == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert parts.valid is not None and parts.test is not None
    assert said == ["test: the last step of 2 of 3 sequences", "valid: the last step of 1 of 3 sequences"]
    assert parts.valid.first is not None and parts.valid.first.tolist() == [2, 2, 2]
    assert parse("last") == LastStep()
    with pytest.raises(UsageError, match="test = 'last' only works where the next step"):
        split(table(6), LABELLED, test="last")


def test_a_single_labelled_series_is_learned_from_its_beginning_only(tmp_path: Path) -> None:
    values = [float(n) for n in range(36)] + [1e6] * 4
    labels = ["low" if n < 18 else "high" for n in range(40)]
    trained = ur.fit({"x": [values], "y": [labels]}, target="y", steps=1, hidden=3, out=tmp_path / "run")
    assert trained.task.name == "tag"
    encoding = trained.task.coder.inputs["x"]
    assert isinstance(encoding, Numbers)
    assert encoding.mean[0] == pytest.approx(17.5)
    assert trained.metrics["valid"].keys() >= {"accuracy"}
