from __future__ import annotations

import pytest

from unrolled import errors
from unrolled.errors import (
    DataError,
    Interrupted,
    MissingExtra,
    Origin,
    ShapeError,
    UnrolledError,
    UsageError,
    did_you_mean,
)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UnrolledError", 1), ("UsageError", 2), ("DataError", 3), ("ModelError", 4), ("SpaceError", 5),
        ("ShapeError", 1), ("TrainingError", 1), ("MissingExtra", 1),
    ],
)  # fmt: skip
def test_every_error_is_ours_and_has_its_exit_code(name: str, code: int) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, UnrolledError)
    assert kind.exit_code == code


def test_no_error_is_missing_from_the_table_or_the_drawing() -> None:
    kinds = {n for n, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, UnrolledError)}
    assert kinds | {
        "IN_MEMORY",
        "Origin",
        "as_flags",
        "command",
        "counted",
        "did_you_mean",
        "lacking",
        "named",
        "reason_of",
    } == set(errors.__all__)
    assert all(name in str(errors.__doc__) for name in kinds)


def test_a_column_that_a_model_lacks_is_named_with_those_that_there_are() -> None:
    assert (
        str(errors.lacking("x", "new.csv", [])) == "the model reads the column 'x', which new.csv lacks; it has: none"
    )
    error = errors.lacking("label", "your data", iter(["text", "labels"]), "answers")
    assert (error.file, error.column) == (None, "label")
    assert errors.lacking("x", Origin("new.csv"), []).file == "new.csv"
    assert str(error) == (
        "the model answers the column 'label', which your data lacks; it has: text, labels (did you mean 'labels'?)"
    )


def test_an_option_is_named_as_its_user_knows_it() -> None:
    assert errors.named("min_count") == "min_count"
    with errors.as_flags():
        assert errors.named("min_count") == "--min-count"
    assert errors.named("min_count") == "min_count"


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_an_interrupt_exits_as_shells_expect(number: int, code: int) -> None:
    assert Interrupted("stopped", number).exit_code == code


def test_mistakes_in_calls_are_value_errors_too() -> None:
    assert issubclass(UsageError, ValueError)
    assert issubclass(ShapeError, ValueError)
    assert issubclass(MissingExtra, ImportError)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "is wrong"),
        ({"file": "a.csv"}, "a.csv: is wrong"),
        ({"file": "a.csv", "row": 0, "column": "x"}, "a.csv, row 0, column 'x': is wrong"),
        ({"column": "x", "hint": "mend it"}, "column 'x': is wrong (mend it)"),
    ],
)
def test_a_data_error_says_where_and_what_to_do(place: dict[str, object], text: str) -> None:
    error = DataError("is wrong", **place)  # type: ignore[arg-type]
    assert str(error) == text
    assert error.details() == {"file": None, "row": None, "column": None, "hint": None, **place}
    assert UnrolledError("x").details() == {}


@pytest.mark.parametrize(
    ("row", "place"), [(1, "a.csv, row 1"), (2, "a.csv, row 2"), (3, "c.csv, row 1"), (None, "notes")]
)
def test_a_row_of_a_folder_is_named_by_its_file(row: int | None, place: str) -> None:
    origin = Origin("notes", (("a.csv", 2), ("b.csv", 0), ("c.csv", 1)))
    assert str(DataError("is odd", file=origin, row=row)) == f"{place}: is odd"
    assert DataError("is odd", file=origin, row=row).details()["file"] == place.split(",")[0]
    assert Origin("x.csv").place(7) == ("x.csv", 7)


def test_a_missing_extra_gives_the_pip_line() -> None:
    text = "reading MIDI needs mido: pip install 'unrolled[music]'"
    assert str(MissingExtra("mido", "music", "reading MIDI")) == text


def test_the_nearest_name_is_suggested_and_all_are_listed() -> None:
    assert did_you_mean("lsmt", ["lstm", "gru"]) == " Did you mean 'lstm'? Known: gru, lstm."
    assert did_you_mean("zebra", iter(["lstm", "gru"])) == " Known: gru, lstm."
