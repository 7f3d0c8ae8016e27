from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest

from unrolled.cli.flags import Flags, options_of, settings_of
from unrolled.declarations import declared
from unrolled.errors import UsageError, as_flags
from unrolled.runs.keywords import Keywords

OPTIONS = {option.name: option for options in declared().values() for option in options}


def test_there_is_a_flag_and_a_keyword_for_every_option_and_no_other() -> None:
    assert {field.name for field in fields(Flags)} == OPTIONS.keys() == Keywords.__annotations__.keys()


def test_the_help_of_every_flag_says_what_it_does_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    from unrolled.cli.main import main

    main(["fit", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for option in OPTIONS.values():
        assert f"--{option.name.replace('_', '-')}" in told, option.name
        if isinstance(option.default, int | float) and not isinstance(option.default, bool):
            assert f"Default: {option.default}." in told or f"Default: {option.default:g}." in told, option.name


@pytest.mark.parametrize(
    ("name", "owners"),
    [
        ("missing", "(category, elapsed, number, series) What to do"),
        ("beam", "(transcribe, translate) Beam width"),
        ("crf", "(tag) Predict all labels"),
    ],
)
def test_the_help_of_a_flag_names_all_whose_option_it_is(name: str, owners: str) -> None:
    shown = {field.name: get_args(field.type)[1].help for field in fields(Flags)}
    assert shown[name].startswith(owners)
    assert not shown["lr"].startswith("(")


def test_what_is_one_text_in_a_flag_is_taken_apart() -> None:
    flags = Flags(target="a, b", ignore="c", kinds=("d=category",), valid="0.2", quantiles="0.1,0.9", lr=1e-3)
    assert options_of(flags) == {
        "target": ["a", "b"],
        "ignore": ["c"],
        "kinds": {"d": "category"},
        "valid": "0.2",
        "quantiles": [0.1, 0.9],
        "lr": 1e-3,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 1}, "unknown option --learning-rate. Did you mean --lr?"),
        ({"least": 1}, "unknown option --least. Did you mean --min-count?"),
        ({"overwritte": True}, "unknown option --overwritte. Did you mean --overwrite?"),
        ({"quantiles": "a"}, "--quantiles a: expected numbers with commas between them"),
    ],
)
def test_a_mistake_in_a_file_of_options_is_named(values: dict[str, Any], message: str) -> None:
    with as_flags(), pytest.raises(UsageError) as error:
        settings_of(values)
    assert message in str(error.value)


def test_a_file_of_options_has_those_of_the_run_too() -> None:
    run, options = settings_of({"out": "runs/x", "hidden": 3, "kinds": {"a": "number"}})
    assert run == {"out": "runs/x"}
    assert options == {"hidden": 3, "kinds": {"a": "number"}}
