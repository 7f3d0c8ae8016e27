from __future__ import annotations

from pathlib import Path

import pytest
from check_docstrings import check, main

GOOD_LAYER = '''"""A file of layers."""
class Layer(nn.Module):
    """Doubles its input.

    ::

        y = 2 x

    Args:
        size: at least 1.

    Shape:
        x (B, T) -> y (B, T), float32.

    Raises:
        ShapeError: x does not fit.

    Cost:
        1 multiplication.

    References:
        Euclid, https://example.org/elements

    Example:
        >>> Layer(1)
    """

    def forward(self, x):
        raise ShapeError("no")
'''


def found(tmp_path: Path, part: str, source: str) -> list[str]:
    (tmp_path / part).mkdir(parents=True, exist_ok=True)
    file = tmp_path / part / "file.py"
    file.write_text(source, "utf-8")
    return [line.removeprefix(f"{file}:") for line in check(tmp_path)]


def test_a_whole_layer_passes(tmp_path: Path) -> None:
    assert found(tmp_path, "layers", GOOD_LAYER) == []


@pytest.mark.parametrize("section", ["Args", "Shape", "Raises", "Cost", "References", "Example"])
def test_each_section_of_a_layer_is_missed(tmp_path: Path, section: str) -> None:
    lines = found(tmp_path, "layers", GOOD_LAYER.replace(f"{section}:", "Something:"))
    assert f"2: Layer says nothing under {section}" in lines


def test_equations_a_link_and_code_are_missed(tmp_path: Path) -> None:
    assert found(tmp_path, "cells", GOOD_LAYER.replace("::\n", "\n")) == ["2: Layer says nothing under equations"]
    assert found(tmp_path, "cells", GOOD_LAYER.replace("https", "see")) == ["2: Layer says nothing under References"]
    assert found(tmp_path, "cells", GOOD_LAYER.replace(">>>", "")) == ["2: Layer says nothing under Example"]


def test_only_layers_need_all_of_it(tmp_path: Path) -> None:
    assert found(tmp_path, "data", '"""A file."""\nclass Thing(nn.Module):\n    """A thing."""\n') == []


def test_a_member_of_a_registry_needs_its_sections(tmp_path: Path) -> None:
    source = '"""A file."""\nclass Helper:\n    """Helps."""\nclass Thing:\n    """A thing."""\nMEMBER = Thing\n'
    missing = [f"4: Thing says nothing under {section}" for section in ("Cost", "References", "Example")]
    assert found(tmp_path, "baselines", source) == missing


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\n", "1: the module has no docstring that begins with a sentence"),
        ('"""A file."""\ndef f(): pass\n', "2: f has no docstring that begins with a sentence"),
        ('"""A file."""\ndef f():\n    """no sentence"""\n', "2: f has no docstring that begins with a sentence"),
        (
            '"""A file."""\ndef f(a, b, c, d, *, e):\n    """Does."""\n',
            "2: f takes more than 4 arguments and says nothing under Args",
        ),
        (
            '"""A file."""\ndef f():\n    """Does."""\n    if 1:\n        raise DataError("x")\n',
            "2: f raises DataError and says nothing under Raises",
        ),
    ],
)
def test_what_every_file_needs(tmp_path: Path, source: str, line: str) -> None:
    assert found(tmp_path, "data", source) == [line]


@pytest.mark.parametrize(
    "source",
    [
        '"""A file."""\ndef _f(): pass\n',
        '"""A file."""\ndef f():\n    """Does, or raises a `DataError`."""\n    raise DataError("x")\n',
        '"""A file."""\ndef f():\n    """Does."""\n    def inner():\n        raise DataError("x")\n    raise\n',
        '"""A file."""\nclass P(Protocol):\n    """Is."""\n    def go(self):\n        """Goes."""\n'
        'class A:\n    """Is."""\n    def go(self): pass\n',
    ],
)
def test_what_is_fine_passes(tmp_path: Path, source: str) -> None:
    assert found(tmp_path, "data", source) == []


def test_a_verb_says_no_more_than_its_help(tmp_path: Path) -> None:
    verb = '"""A file."""\ndef fit(a, b, c, d, e):\n    """Fits."""\n    raise UsageError("x")\n'
    assert found(tmp_path, "cli", verb) == []
    assert len(found(tmp_path, "data", verb)) == 2


def test_the_exit_code_and_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "docstrings: nothing is missing\n"
    (tmp_path / "file.py").write_text("")
    assert main([str(tmp_path)]) == 1
    assert (
        capsys.readouterr().out
        == f"{tmp_path / 'file.py'}:1: the module has no docstring that begins with a sentence\n"
    )
