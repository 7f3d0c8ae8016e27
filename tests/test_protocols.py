"""Nobody knows what belongs to one member: general code asks it. A search over the syntax tree keeps it so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from unrolled.registry import FOLDERS, Registry

SOURCE = Path(__file__).parent.parent / "src" / "unrolled"
MODELS = {"Network", "EncoderDecoder"}
# What holds the name of a member where code compares it.
HOLDERS = {"name", "names", "kind", "kinds", "form", "task", "model", "layer", "cell", "reader", "named"}
ENCODINGS = {"encoding", "answer", "column", "one"}
KINDS = ("task", "encoding", "layer", "cell", "form")
# A reader says of which kind its columns are; a kernel has the name of the cell that it runs.
MAY_NAME = {"data/readers": "encoding", "kernels": "cell"}


@cache
def names_of(kind: str) -> frozenset[str]:
    names = set(Registry(kind).names())
    return frozenset(names | {f"bi{name}" for name in names} if kind == "cell" else names)


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def last_word(node: ast.expr) -> str:
    """``kind`` of ``encoding.kind``, ``kinds`` of ``sequences.kinds[name]`` and of ``kinds.get(name)``."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr="get" | "removeprefix" | "startswith", value=inner):
            return last_word(inner)
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=inner):
            return last_word(inner)
        case ast.Call(func=inner):
            return last_word(inner)
    return ""


def constants(tree: ast.Module) -> dict[str, ast.expr]:
    found = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def texts(node: ast.expr, known: dict[str, ast.expr]) -> set[str]:
    """The texts that an expression is made of: a constant, a collection, or a module's constant."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return set().union(*(texts(part, known) for part in parts))
        case ast.Name(id=name) if name in known:
            return texts(known[name], {})
        case ast.Call(func=ast.Name(id="set" | "frozenset" | "tuple"), args=[inner]):
            return texts(inner, known)
    return set()


def _home(kind: str) -> str | None:
    """The folder outside of the registry that may name members of ``kind``."""
    return next((folder for folder, named in MAY_NAME.items() if named == kind), None)


@cache
def foreign_to(folder: str) -> frozenset[str]:
    """The names of members that code in ``folder`` may not compare with."""
    return frozenset().union(*(names_of(kind) for kind in KINDS if folder not in (FOLDERS[kind], _home(kind))))


@lru_cache(1)
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def comparisons(source: str, folder: str = "") -> Iterator[tuple[int, str]]:
    """(line, text) of each comparison with the name of a member that lies in another folder."""
    tree, foreign = parsed(source), foreign_to(folder)
    known = constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            held = any(last_word(side) in HOLDERS for side in sides)
            found = set().union(*(texts(side, known) for side in sides)) & foreign
            if held and found:
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Match) and last_word(node.subject) in HOLDERS:
            for case in node.cases:
                for part in ast.walk(case.pattern):
                    if isinstance(part, ast.MatchValue) and texts(part.value, known) & foreign:
                        yield case.pattern.lineno, ast.unparse(case.pattern)


def model_checks(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each ``isinstance`` on a kind of model."""
    for node in ast.walk(parsed(source)):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kind]):
                if MODELS & {part.id for part in ast.walk(kind) if isinstance(part, ast.Name)}:
                    yield node.lineno, ast.unparse(node)


def guesses(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each ``getattr`` that takes by force what an encoding may not have."""
    for node in ast.walk(parsed(source)):
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[of, ast.Constant(), *_]):
                if last_word(of) in ENCODINGS:
                    yield node.lineno, ast.unparse(node)


def folder_of(file: Path) -> str:
    return file.parent.relative_to(SOURCE).as_posix()


def test_general_code_knows_no_member() -> None:
    wrong = {}
    for file in files():
        source, folder = file.read_text("utf-8"), folder_of(file)
        found = [*comparisons(source, folder), *guesses(source)]
        found += model_checks(source) if folder != "models" else []
        ignored = ["type: ignore[attr-defined]"] if "type: ignore[attr-defined]" in source else []
        if found or ignored:
            wrong[file.relative_to(SOURCE).as_posix()] = [*found, *ignored]
    assert wrong == {}


def test_the_search_finds_what_it_is_for() -> None:
    assert list(comparisons("if task.name == 'forecast': pass")) == [(1, "task.name == 'forecast'")]
    assert list(comparisons("if sequences.kinds[name] in ('tokens', 'x'): pass"))
    assert list(comparisons("KNOWN = ('tag',)\nif config.task.name in KNOWN: pass"))
    assert list(comparisons("match examples.form:\n    case 'next' | 'fill': pass"))
    assert list(comparisons("if config.model.name == 'bilstm': pass"))
    assert list(model_checks("isinstance(model, Network | None)"))
    assert list(guesses("getattr(coder.answer, 'labels', ())"))


def test_the_search_leaves_the_harmless_alone() -> None:
    assert not list(comparisons("if level.name == 'words': pass"))
    assert not list(comparisons("if task.name == 'forecast': pass", "tasks"))
    assert not list(guesses("getattr(error, 'filename', None)"))
    assert not list(model_checks("isinstance(model, nn.Module)"))


if __name__ == "__main__":  # the counts that docs/house.md gives
    sources = [(folder_of(file), file.read_text("utf-8")) for file in files()]
    print("comparisons with a member's name", sum(len(list(comparisons(text, folder))) for folder, text in sources))
    print("isinstance on a model", sum(len(list(model_checks(text))) for folder, text in sources if folder != "models"))
    print("getattr on an encoding", sum(len(list(guesses(text))) for _, text in sources))
    print("type: ignore[attr-defined]", sum(text.count("type: ignore[attr-defined]") for _, text in sources))
