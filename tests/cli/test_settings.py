from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.support import Done, write_reviews

from unrolled import api
from unrolled.cli.settings import numbers, read_settings, split_list, split_pairs
from unrolled.errors import UsageError

Unrolled = Callable[..., Done]


def test_a_file_of_options(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("hidden: 64\ncheckpoint-every: 30s\ntarget: [a, b]\n")
    assert read_settings(str(tmp_path / "c.yaml")) == {"hidden": 64, "checkpoint_every": "30s", "target": ["a", "b"]}
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_settings(str(tmp_path / "empty.yaml")) == {}


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (BOMB.encode(), "has an alias"),
        (b"hidden: [1\n", "c.yaml, line 2: is not YAML"),
        (b"- 1\n- 2\n", "expected lines such as 'hidden: 256'"),
        (b"1: 2\n", "expected lines such as 'hidden: 256'"),
        (b"a: " + b"[" * 100_000, "is nested deeper than 16 levels"),
        (b"x" * (1 << 20) + b": 1", "is larger than the limit of"),
        (b"a: !!python/object/apply:os.getcwd []\n", "is not YAML: could not determine a constructor"),
        (b"\x80\x81", "is not YAML"),
    ],
    ids=["bomb", "open list", "list", "number", "deep", "large", "object", "not UTF-8"],
)
def test_what_is_no_file_of_options(content: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(UsageError, match="--config") as caught:
        read_settings(str(tmp_path / "c.yaml"))
    assert text in str(caught.value)


def test_lists_pairs_and_numbers() -> None:
    assert split_list("a, b,,c") == ["a", "b", "c"]
    assert split_pairs(("age=number", "a=b=category"), "--kinds") == {"age": "number", "a=b": "category"}
    assert numbers("0.1, .5", "--quantiles") == [0.1, 0.5]
    with pytest.raises(UsageError, match=r"--kinds age: expected column=kind, such as age=number"):
        split_pairs(("age",), "--kinds")


def test_a_file_may_hold_every_option_as_the_flags_do(unrolled: Unrolled, tmp_path: Path) -> None:
    write_reviews(tmp_path / "r.csv")
    options = ["target: sentiment", "inputs: text,stars", "kinds: stars=category", "steps: 2", "hidden: 3"]
    run = tmp_path / "run"
    (tmp_path / "c.yaml").write_text("\n".join([*options, f"out: {run}", "overwrite: true"]))
    for _ in range(2):
        done = unrolled("fit", tmp_path / "r.csv", "--config", tmp_path / "c.yaml", "--quiet")
        assert done.code == 0, done.err
    config = api.load(run).config
    assert (config.data.inputs, config.data.kinds, config.training.steps) == (
        ("text", "stars"),
        {"stars": "category"},
        2,
    )
    for line, message in (
        ("hooks: 3", "unknown option --hooks"),
        ("hiden: 3", "unknown option --hiden. Did you mean --hidden?"),
        ("epochs: 2", "give only one budget, not --steps and --epochs"),
    ):
        (tmp_path / "bad.yaml").write_text("\n".join([*options, line]))
        done = unrolled("fit", tmp_path / "r.csv", "--config", tmp_path / "bad.yaml", "--quiet")
        assert (done.code, message in done.err) == (2, True), done.err
