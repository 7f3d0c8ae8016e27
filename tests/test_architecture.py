"""The rules of the house as data: who may import whom, how long a file may be, and that nothing goes in a circle."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from unrolled.registry import FOLDERS, Registry

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "unrolled"

# From the ground up: a part may import the parts above it in this list, and a folder of data/ or layers/ is a part.
BASE = ("errors", "registry", "declarations", "config", "batch", "state", "watch")
ORDER = (
    *(*BASE, "program", "storage", "metrics", "page", "music", "synthetic"),
    *("data.config", "data.io", "data.media", "data.encodings", "data.readers", "data.tables", "data.vectors"),
    *("data.plans", "data.forms", "data.examples", "data.store", "data.batches"),
    *(
        "layers.graph",
        "layers.modules",
        "cells",
        "layers.lengths",
        "kernels",
        "layers.recurrence",
        "layers.attention",
        "layers",
        "models",
        "decoding",
        "baselines",
        "tasks",
        "solved",
        "training",
        "planning",
    ),
    *("streaming", "inspection", "views", "word2vec", "export", "runs", "serving", "api", "demo", "tour", "testing"),
)
# Parts that may import less than the order allows, or what stands below them for a reason.
ONLY: dict[str, tuple[str, ...]] = {
    "reference": (),
    # runs, declarations: the names and options that --help lists without torch; storage, page, music: what --out and
    # --plot ask for; kernels: what doctor names; metrics: which way is better.
    "cli": (
        "api",
        "demo",
        "tour",
        "errors",
        "registry",
        "declarations",
        "runs",
        "storage",
        "kernels",
        "metrics",
        "music",
        "page",
        "serving",
    ),
    "client": ("errors",),  # it runs where neither torch nor NumPy is
    "__init__": ("api", "registry"),
    "__main__": ("cli",),
}
# What stands beside the members of a registry: their protocol and what makes them, not one of them.
PROTOCOLS: dict[str, set[str]] = {
    "baseline": {"baseline"},
    "cell": {"cell", "equations"},
    "encoding": {"encoding", "facets"},
    "exporter": {"exporter"},
    "form": {"form"},
    "layer": {
        *(
            "chain",
            "config",
            "conversion",
            "factory",
            "graph",
            "keras",
            "layer",
            "modules",
            "plain_torch",
            "recurrent",
            "torch_compat",
        ),
        *("embed", "inputs", "letters", "pooling", "crf", "lengths", "pretrained", "short_convolution"),
        *("item_logits", "item_outputs", "sampled_softmax", "tied"),
    },
    "metric": {"judged", "metric", "scoring"},
    "model": {"build", "combined", "model", "slots"},
    "reader": {"reader"},
    "rule": {"rule"},
    "solved": {"solved_model"},
    "task": {"config", "task"},
}
MOST_ROOT_MODULES = 10  # with __main__, without __init__
LONGEST_FILE, MEDIAN_FILE = 350, 130
LONGEST_BODY = 60  # lines: a function is read on one screen


@cache
def modules() -> list[str]:
    """Every module of the package, as ``data.readers.text``; a package as ``data.readers.__init__``."""
    files = sorted(SOURCE.rglob("*.py"))
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts) for file in files]


def path_of(module: str) -> Path:
    return SOURCE.joinpath(*module.split(".")).with_suffix(".py")


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def tree_of(module: str) -> ast.Module:
    return parsed(path_of(module))


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """(line, module, name or ``None``) of each import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield from ((node.lineno, str(node.module), alias.name) for alias in node.names)


@cache
def inner_imports(module: str) -> list[tuple[int, str]]:
    """(line, the file that is really imported) of each import from our own package."""
    found = []
    for line, source, name in imports(tree_of(module)):
        if source.split(".")[0] == "unrolled":
            inside = source.removeprefix("unrolled").removeprefix(".")
            below = f"{inside}.{name}".removeprefix(".")
            if not name or not path_of(below).exists():
                below = inside if inside and path_of(inside).exists() else f"{inside}.__init__".removeprefix(".")
            found.append((line, below))
    return found


def part_of(module: str) -> str:
    """The part that a module belongs to: the longest beginning of its name that has a place in the order."""
    names = module.split(".")
    return next((part for part in (".".join(names[:2]), names[0]) if part in ORDER), names[0])


def test_every_part_has_its_place_in_the_order() -> None:
    parts = {part_of(module) for module in modules()} - {"data"}
    assert parts == {*ORDER, *ONLY}


def test_few_modules_stand_at_the_root() -> None:
    loose = [module for module in modules() if "." not in module and module != "__init__"]
    assert len(loose) <= MOST_ROOT_MODULES, loose
    assert {*BASE, "api", "demo", "__main__"} == set(loose)


def allowed(part: str, other: str) -> bool:
    """Whether a module of ``part`` may import one of ``other``."""
    if other == part or (part == "testing" and other == "reference"):
        return True
    return other in (ONLY[part] if part in ONLY else ORDER[: ORDER.index(part)])


def test_a_module_imports_only_what_stands_above_it() -> None:
    wrong = [
        f"{module}.py:{line} imports {target}"
        for module in modules()
        for line, target in inner_imports(module)
        if not allowed(part_of(module), part_of(target))
    ]
    assert wrong == []


def test_the_annotated_tree_in_the_docs_is_the_real_one() -> None:
    text = (ROOT / "docs" / "house.md").read_text("utf-8")
    parts = {part_of(module).split(".")[-1] for module in modules()} - {"__init__", "data"}
    missing = [part for part in sorted(parts) if f" {part}/ " not in text and f" {part}.py " not in text]
    assert missing == [], "docs/house.md does not show them"


def test_a_module_imports_from_the_defining_file() -> None:
    wrong = [
        f"{module}.py:{line} imports from an __init__; name the defining file"
        for module in modules()
        for line, target in inner_imports(module)
        if target.endswith("__init__")
    ]
    assert wrong == []


def test_nothing_imports_in_a_circle() -> None:
    graph = {module: {target for _, target in inner_imports(module)} for module in modules() if module != "__init__"}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


def test_a_name_stands_for_one_module() -> None:
    """Members of several kinds, verbs and the reference share names on purpose; each part has a config.py."""
    shared = {"__init__", "config", *(name for kind in FOLDERS for name in Registry(kind).names())}
    places: dict[str, list[str]] = {}
    for module in modules():
        folder, _, name = module.rpartition(".")
        if folder not in ("cli", "reference") and name not in shared:
            places.setdefault(name, []).append(module)
    assert [modules for modules in places.values() if len(modules) > 1] == []


def test_a_file_is_short() -> None:
    lines = {module: len(path_of(module).read_text("utf-8").splitlines()) for module in modules()}
    long = {module: count for module, count in lines.items() if count > LONGEST_FILE}
    assert long == {}, "they hold more than one idea"


def test_the_median_file_is_shorter_still() -> None:
    lengths = [len(path_of(module).read_text("utf-8").splitlines()) for module in modules()]
    assert statistics.median(length for length in lengths if length > 1) <= MEDIAN_FILE


@pytest.mark.parametrize(("kind", "folder"), FOLDERS.items())
def test_in_a_registry_members_are_seen_at_a_glance(kind: str, folder: str) -> None:
    """A file without an underscore is a member, or holds the protocol of the folder."""
    files = {file.stem for file in (SOURCE / folder).glob("[a-z]*.py")}
    ours = {name for name in Registry(kind).names() if Registry(kind).package_of(name) is None}
    protocol = PROTOCOLS[kind]
    assert files - ours == protocol


def bodies(file: Path) -> Iterator[tuple[str, int]]:
    """(name, lines of the body without its docstring) of each function."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1
            start = node.body[1] if told else first
            yield node.name, int(node.body[-1].end_lineno or 0) - start.lineno + 1


@pytest.mark.parametrize("folder", ["src", "tools", "bench", "examples"])
def test_a_function_is_read_on_one_screen(folder: str) -> None:
    long = [
        f"{file.relative_to(ROOT)}: {name} has {lines} lines"
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "work" not in file.relative_to(ROOT).parts  # environments of other libraries
        for name, lines in bodies(file)
        if lines > LONGEST_BODY
    ]
    assert long == []


@pytest.mark.parametrize("module", [module for module in modules() if part_of(module) == "reference"])
def test_the_reference_needs_numpy_only(module: str) -> None:
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
