"""The house's rules as data: who may import whom, how long a file may be, and that nothing goes in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "unrolled"

BASE = (
    "atomic",
    "batch",
    "config",
    "errors",
    "files",
    "registry",
)
BASE += ("state",)
# They put the parts together, and may know every one of them.
TOP = (
    "api",
    "asked",
    "card",
    "continuing",
    "demo",
    "fitting",
    "loading",
    "names",
    "pretrained",
    "rundir",
    "splits",
    "trained",
    "tunes",
    "wordvectors",
)
EVERYTHING_BUT_CLI = ("*",)
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(BASE, BASE),
    "metrics": ("batch", "config", "errors", "registry"),
    "music": BASE,
    "data": (*BASE, "music"),
    "cells": BASE,
    "kernels": (*BASE, "cells"),
    "layers": (*BASE, "cells", "kernels"),
    "models": (*BASE, "layers"),
    "baselines": (*BASE, "metrics", "data", "decoding"),
    "tasks": (*BASE, "metrics", "data", "layers", "models", "decoding", "baselines"),
    "training": (*BASE, "metrics", "data", "models", "tasks"),
    "word2vec": (*BASE, "data"),
    "trajectories": BASE,
    "decoding": BASE,
    "streaming": (*BASE, "models"),
    "reference": (),
    "testing": EVERYTHING_BUT_CLI,
    "inspection": EVERYTHING_BUT_CLI,
    **dict.fromkeys(TOP, EVERYTHING_BUT_CLI),
    # names: what --help lists without torch; files and music: for answers that --out asks for; kernels: for doctor to name;
    # metrics: which way is better
    "cli": ("api", "demo", "errors", "names", "registry", "files", "kernels", "metrics", "music"),
    "__init__": ("api", "registry"),
    "__main__": ("cli",),
}
LONGEST_FILE = 350
LONGEST_BODY = 60  # lines: a function is read on one screen
STILL_TOO_LONG = ("src/unrolled/fitting.py",)


def modules() -> list[str]:
    """Every module of the package, as ``data.readers.text``; a package as ``data.readers.__init__``."""
    files = sorted(SOURCE.rglob("*.py"))
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts) for file in files]


def path_of(module: str) -> Path:
    return SOURCE.joinpath(*module.split(".")).with_suffix(".py")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text("utf-8"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """(line, module, name or ``None``) of each import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield from ((node.lineno, str(node.module), alias.name) for alias in node.names)


def inner_imports(module: str) -> Iterator[tuple[int, str]]:
    """(line, the file that is really imported) of each import from our own package."""
    for line, source, name in imports(tree_of(module)):
        if source.split(".")[0] == "unrolled":
            inside = source.removeprefix("unrolled").removeprefix(".")
            below = f"{inside}.{name}".removeprefix(".")
            if name and path_of(below).exists():
                yield line, below
            else:
                yield line, inside if inside and path_of(inside).exists() else f"{inside}.__init__".removeprefix(".")


def part_of(module: str) -> str:
    return module.split(".")[0]


def test_every_part_has_its_row_in_the_table() -> None:
    assert {part_of(module) for module in modules()} <= MAY_IMPORT.keys()


def test_the_annotated_tree_in_the_docs_is_the_real_one() -> None:
    text = (ROOT / "docs" / "house.md").read_text("utf-8")
    parts = {part_of(module) for module in modules()} - {"__init__"}
    missing = [
        part for part in sorted(parts) if f"\n      {part}{'/' if (SOURCE / part).is_dir() else '.py'} " not in text
    ]
    assert missing == [], "docs/house.md does not show them"


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_the_table_allows(module: str) -> None:
    part = part_of(module)
    allowed = MAY_IMPORT[part]
    for line, target in inner_imports(module):
        other = part_of(target)
        if other != part:
            fine = other != "cli" if allowed == EVERYTHING_BUT_CLI else other in allowed
            assert fine, (
                f"{module}.py:{line} imports {target}; {part} may import {', '.join(allowed) or 'nothing of ours'}"
            )


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_from_the_defining_file(module: str) -> None:
    for line, target in inner_imports(module):
        assert not target.endswith("__init__"), f"{module}.py:{line} imports from an __init__; name the defining file"


def test_nothing_imports_in_a_circle() -> None:
    graph = {module: {target for _, target in inner_imports(module)} for module in modules() if module != "__init__"}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


@pytest.mark.parametrize("module", modules())
def test_a_file_is_short(module: str) -> None:
    lines = len(path_of(module).read_text("utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{module}.py has {lines} lines: it holds more than one idea"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, its docstring not counted."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("folder", ["src", "tools", "bench", "examples"])
def test_a_function_is_read_on_one_screen(folder: str) -> None:
    longer = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} has {body_lines(node)} lines"
        for file in sorted((ROOT / folder).rglob("*.py"))
        if str(file.relative_to(ROOT)) not in STILL_TOO_LONG
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > LONGEST_BODY
    ]
    assert longer == []


@pytest.mark.parametrize("module", [module for module in modules() if part_of(module) == "reference"])
def test_the_reference_needs_numpy_alone(module: str) -> None:
    for line, source, _ in imports(tree_of(module)):
        first = source.split(".")[0]
        assert first in {"numpy", "unrolled", "__future__", "dataclasses", "typing", "collections", "math"}, (
            f"line {line}"
        )


@pytest.mark.parametrize("module", [module for module in modules() if part_of(module) == "cli"])
def test_a_verb_imports_what_is_slow_inside_its_function(module: str) -> None:
    top = ast.Module([node for node in tree_of(module).body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    for line, source, _ in imports(top):
        slow = source.startswith(("torch", "numpy", "pyarrow", "unrolled.api"))
        assert not slow, f"{module}.py:{line} imports {source} before anything is asked of it"
