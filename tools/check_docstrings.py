"""Check that docstrings say what this project promises that they say; prints ``file:line: what is missing``.

The rules, in the order in which they are applied:

=====================================  ================================================================================
what                                   must have
=====================================  ================================================================================
a module                               a docstring that begins with a sentence
a public class or function             the same; so must a public method, unless a Protocol or a base class of the same
                                       folder, or of the one above, already says it
a function of more than four arguments  Args
a function that raises                 Raises, its own or its class's, or the error's name in its text
a torch module in cells/ or layers/    equations, Args, Shape, Raises, Cost, References with a link, an Example
a member of baselines/                 Cost, References with a link, an Example
a member of tasks/                     equations, Metrics
a member of metrics/                   equations, References with a link, an Example
a verb in cli/                         no more than its sentence: its docstring is its help text
=====================================  ================================================================================

Equations are a literal block (``::``), ``.. math::``, or a section of that name. The examples are run by
``tests/test_docstrings.py``.

Usage: ``python tools/check_docstrings.py src/unrolled``
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["check", "main"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function

_MOST_ARGUMENTS = 4
_LAYER = ("equations", "Args", "Shape", "Raises", "Cost", "References", "Example")
_MEMBERS = {
    "baselines": ("Cost", "References", "Example"),
    "metrics": ("equations", "References", "Example"),
    "tasks": ("equations", "Metrics"),
}


def check(root: Path) -> list[str]:
    """``file:line: what is missing`` of every file below ``root``."""
    trees = {file: ast.parse(file.read_text("utf-8")) for file in sorted(root.rglob("*.py"))}
    said: dict[Path, set[str]] = {}
    for file, tree in trees.items():
        said.setdefault(file.parent, set()).update(_said_by_classes(tree))
    return [
        f"{file}:{line}: {text}"
        for file, tree in trees.items()
        for line, text in _check_module(
            tree, file.relative_to(root).parts[0], said[file.parent] | said.get(file.parent.parent, set())
        )
    ]


def main(arguments: list[str]) -> int:
    """Check the folders in ``arguments``; the exit code is 1 where something is missing."""
    missing = [line for folder in arguments or ["src/unrolled"] for line in check(Path(folder))]
    print("\n".join(missing) if missing else "docstrings: nothing is missing")
    return int(bool(missing))


def _check_module(tree: ast.Module, part: str, said: set[str]) -> Iterator[tuple[int, str]]:
    if not _begins_with_a_sentence(ast.get_docstring(tree)):
        yield 1, "the module has no docstring that begins with a sentence"
    members = {
        node.value.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Name)
        and _assigns(node, "MEMBER")
    }
    for node in tree.body:
        if isinstance(node, Function) and _is_public(node):
            yield from _check_function(node, node.name, "Args:\nRaises:" if part == "cli" else "")
        elif isinstance(node, ast.ClassDef) and _is_public(node):
            yield from _check_class(node, part, said, node.name in members)


def _check_class(node: ast.ClassDef, part: str, said: set[str], member: bool) -> Iterator[tuple[int, str]]:
    docstring = ast.get_docstring(node) or ""
    if not _begins_with_a_sentence(docstring):
        yield node.lineno, f"{node.name} has no docstring that begins with a sentence"
    layer = part in ("cells", "layers") and any(ast.unparse(base) == "nn.Module" for base in node.bases)
    for section in _LAYER if layer else _MEMBERS.get(part, ()) if member else ():
        if not _has(docstring, section):
            yield node.lineno, f"{node.name} says nothing under {section}"
    for method in node.body:
        if isinstance(method, Function) and _is_public(method) and not _is_repetition(method):
            if method.name in said and not ast.get_docstring(method):
                continue
            yield from _check_function(method, f"{node.name}.{method.name}", docstring)


def _check_function(node: Function, name: str, of_the_class: str) -> Iterator[tuple[int, str]]:
    docstring = ast.get_docstring(node) or ""
    if not _begins_with_a_sentence(docstring):
        yield node.lineno, f"{name} has no docstring that begins with a sentence"
        return
    arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    many = len([argument for argument in arguments if argument not in ("self", "cls")]) > _MOST_ARGUMENTS
    if many and not _has(f"{docstring}\n{of_the_class}", "Args"):
        yield node.lineno, f"{name} takes more than {_MOST_ARGUMENTS} arguments and says nothing under Args"
    silent = sorted(error for error in _raised(node) if error not in docstring)
    if silent and not _has(f"{docstring}\n{of_the_class}", "Raises"):
        yield node.lineno, f"{name} raises {', '.join(silent)} and says nothing under Raises"


_CHECKS: dict[str, Callable[[str], object]] = {
    "equations": lambda text: re.search(r"(^|:):$|^\s*\.\. math::|^\s*Equations:", text, re.MULTILINE),
    "References": lambda text: re.search(r"^\s*References:(.|\n)*https?://", text, re.MULTILINE),
    "Example": lambda text: re.search(r"^\s*Example:(.|\n)*>>> ", text, re.MULTILINE),
}


def _has(docstring: str, section: str) -> bool:
    found = _CHECKS.get(section, re.compile(rf"^\s*{section}:", re.MULTILINE).search)
    return bool(found(docstring))


def _begins_with_a_sentence(docstring: str | None) -> bool:
    return bool(docstring) and str(docstring).split("\n\n")[0].rstrip().endswith((".", "?", "!", ":", "``"))


def _is_public(node: Definition) -> bool:
    return not node.name.startswith("_")


def _is_repetition(node: Function) -> bool:
    """An overload, or the second half of a property: the docstring stands elsewhere."""
    return any(ast.unparse(decorator).endswith(("overload", ".setter")) for decorator in node.decorator_list)


def _said_by_classes(tree: ast.Module) -> set[str]:
    """The methods that a Protocol or a base class of this file describes; `forward` is described by its class."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    bases = {ast.unparse(base) for node in classes.values() for base in node.bases}
    standing = [node for name, node in classes.items() if name in bases or _is_protocol(node)]
    methods = [method for node in standing for method in node.body if isinstance(method, Function)]
    return {method.name for method in methods if ast.get_docstring(method)} | {"forward"}


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0].endswith("Protocol") for base in node.bases)


def _assigns(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _raised(node: Function) -> set[str]:
    """The errors that it makes and raises; what a function inside it raises does not count."""
    found: set[str] = set()
    pending: list[ast.AST] = list(node.body)
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
            found.add(ast.unparse(inner.exc.func))
        if not isinstance(inner, Function | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(inner))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
