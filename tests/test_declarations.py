from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import write_options
from pydantic import ValidationError

from unrolled import declarations as options
from unrolled import registry
from unrolled.config import Part
from unrolled.config import option as an_option
from unrolled.data.config import DataConfig
from unrolled.declarations import Owner, declared, owners_of, read_options, unknown_option
from unrolled.layers.config import ModelConfig
from unrolled.registry import Registry
from unrolled.tasks.config import TaskConfig
from unrolled.training.config import TrainingConfig

PARTS = {"data": DataConfig, "task": TaskConfig, "model": ModelConfig, "training": TrainingConfig}
ALL = {option.name for one in declared().values() for option in one}


def part_of(owner: Owner) -> type[Part]:
    return PARTS[owner.name] if owner.kind == "part" else Registry(owner.kind).get(owner.name).Options


@pytest.mark.parametrize("owner", declared(), ids=lambda owner: owner.key)
def test_what_is_read_from_a_file_is_what_its_class_has(owner: Owner) -> None:
    part = part_of(owner)
    found = {option.field: option for option in declared()[owner]}
    assert found.keys() == part.model_fields.keys() - {"own", "paired"}
    for name, field in part.model_fields.items():
        if name in found:
            assert found[name].default == field.default
            assert found[name].help == field.description
            assert set(found[name].limits) <= {"gt", "ge", "lt", "le", "pattern", "examples"}
            bounds = {type(one).__name__.lower(): getattr(one, type(one).__name__.lower()) for one in field.metadata
                      if type(one).__name__ in ("Gt", "Ge", "Lt", "Le")}  # fmt: skip
            assert {key: value for key, value in found[name].limits.items() if key in bounds} == bounds


@pytest.mark.parametrize("kind", ["task", "encoding", "reader", "model", "layer"])
def test_no_member_with_options_is_overlooked(kind: str) -> None:
    for name, member in Registry(kind).members().items():
        fields = getattr(member, "Options", Part).model_fields
        assert bool(fields) == (Owner(kind, name) in declared()), name


def test_an_option_of_several_owners_is_the_same_for_all() -> None:
    for name in ALL:
        ours = [option for one in declared().values() for option in one if option.name == name]
        assert len({repr((option.type, option.default, option.limits)) for option in ours}) == 1, name


def test_listing_options_imports_no_member(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    source = str(Path(options.__file__).parent.parent)
    program = (
        "import sys; from unrolled.cli.flags import Flags; "
        "assert not {'torch', 'pyarrow', 'numpy'} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": source})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("learning_rate", "lr"), ("batch_size", "batch"), ("hidden_size", "hidden"), ("num_layers", "layers"),
        ("n_epochs", "epochs"), ("num_train_epochs", "epochs"), ("max_grad_norm", "clip"), ("clipnorm", "clip"),
        ("random_state", "seed"), ("vocab_size", "vocabulary"), ("embedding_dim", "embedding"), ("num_beams", "beam"),
        ("num_attention_heads", "heads"), ("units", "hidden"), ("prediction_length", "horizon"), ("hiden", "hidden"),
        ("least", "min_count"), ("sight", "attention_window"), ("ahead", "known_ahead"),
        ("strands", "both_strands"), ("softmax", "sampled_softmax"), ("documents", "rows_are"), ("kind", "kinds"),
    ],
)  # fmt: skip
def test_other_names_of_an_option_are_known(wrong: str, right: str) -> None:
    assert str(unknown_option(wrong)) == f"unknown option {wrong}. Did you mean {right}?"


def test_a_name_that_resembles_nothing_is_not_answered_by_all_of_them() -> None:
    assert str(unknown_option("qqqq")) == "unknown option qqqq. All options are listed by: unrolled fit --help."


def test_no_other_name_is_an_option_itself_or_that_of_two() -> None:
    others: dict[str, set[str]] = {}
    for one in declared().values():
        for option in one:
            for name in option.also:
                assert name not in ALL, name
                others.setdefault(name, set()).add(option.name)
    assert {name: sorted(meant) for name, meant in others.items() if len(meant) > 1} == {}


def test_an_option_has_its_owners() -> None:
    assert owners_of("beam") == [Owner("task", "transcribe"), Owner("task", "translate")]
    assert owners_of("nothing") == []


def test_a_declaration_that_is_not_made_of_literals_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text("class Options(Part):\n    size: int = option(3 + SIZE, 'How large.')\n")
    with pytest.raises(ValueError, match="option size: must be declared with literals"):
        read_options(file)
    file.write_text("class Options(Part):\n    size: Path = option(3, 'How large.')\n")
    with pytest.raises(ValueError, match="option size: must be declared with literals"):
        read_options(file)
    file.write_text("x = 1\n")
    assert read_options(file) == ()


def test_types_are_those_that_flags_can_hold() -> None:
    def plain(type_: Any) -> bool:
        inner = get_args(type_)
        return type_ in (str, int, float, bool, type(None), ...) or (
            get_origin(type_) is not None and (all(isinstance(one, str) or plain(one) for one in inner))
        )

    for one in declared().values():
        for option in one:
            assert plain(option.type), option


def test_what_is_derived_and_checked_in_is_up_to_date() -> None:
    assert write_options.KEYWORDS.read_text("utf-8") == write_options.keywords(), "run tools/write_options.py"
    assert write_options.PAGE.read_text("utf-8") == write_options.page(), "run tools/write_options.py"


def test_every_default_is_a_value_that_is_allowed() -> None:
    for owner in declared():
        part = part_of(owner)
        try:
            part()
        except ValidationError as error:  # pragma: no cover
            pytest.fail(f"{owner.key}: {error}")


def test_options_are_found_in_another_package(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text(
        'class Sizes(Part):\n    size: int = option(3, "How large.", ge=1)\n\n\nclass Far:\n    class Options(Sizes):\n        far: int = option(1, "How far.")\n'
    )
    file = tmp_path / "members.py"
    file.write_text(
        "from .shared import (\n    Far,\n    Sizes,\n)\n\n\n"
        'class One:\n    class Options(Part):\n        first: int = option(1, "Of one.")\n\n\n'
        'class Two:\n    class Options(Sizes):\n        second: int = option(2, "Of two.")\n\n\n'
        "class Without:\n    pass\n\n\n"
        "READER = Reader(('.x',), read, Options=Sizes)\nOTHER = Two\nAWAY = Far\n"
    )
    found = {
        member: [option.name for option in read_options(file, member=member)]
        for member in ("One", "Two", "READER", "OTHER", "AWAY")
    }
    assert found == {
        "One": ["first"],
        "Two": ["size", "second"],
        "READER": ["size"],
        "OTHER": ["size", "second"],
        "AWAY": ["size", "far"],
    }


def test_the_options_of_registered_members_are_those_of_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})

    class First:
        class Options(Part):
            leak: float | None = an_option(None, "How leaky.", ge=0, lt=1, also=("drip",))

    class Second:
        class Options(Part):
            span: str = an_option("1h", "How long.", pattern=r"^\d+h$", examples=("1h",))

    registry.register("cell", "first", First)
    registry.register("cell", "second", Second)
    [leak], [span] = (declared()[Owner("cell", name)] for name in ("first", "second"))
    assert (leak.name, leak.type, leak.default, leak.also) == ("leak", float | None, None, ("drip",))
    assert (leak.help, leak.limits) == ("How leaky.", {"ge": 0, "lt": 1})
    assert (span.name, span.limits) == ("span", {"pattern": r"^\d+h$", "examples": ("1h",)})
    registry.register("cell", "first", Second)  # as a notebook does when a block runs again
    assert [owner.name for owner in owners_of("span")] == ["first", "second"]
    assert owners_of("leak") == []
