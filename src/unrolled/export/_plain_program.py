"""The program of a model in plain torch: one file, put together from those of its layer and of the model around it."""

from __future__ import annotations

import ast
from importlib.resources import files

__all__ = ["program_of"]

_MODEL, _PREFIX = "plain_model", "plain_"
_FUTURE = "from __future__ import annotations"
_FOREIGN = ("safetensors", "torch")


def program_of(layer: str) -> str:
    """The text of ``model.py`` for a layer with the program ``plain_{layer}.py``: one file, which imports no other."""
    title, imports, bodies = "", list[ast.stmt](), list[str]()
    for name in [*_needed(_PREFIX + layer), _MODEL]:
        title, own, body = _parts(name)
        imports += own
        bodies.append(body)
    lines = _merged(imports)
    foreign = [line for line in lines if line.split()[1].partition(".")[0] in _FOREIGN]
    standard = [line for line in lines if line not in foreign]
    return "\n".join([title, "", _FUTURE, "", *standard, "", *foreign, ""]) + "\n\n".join(bodies)


def _merged(imports: list[ast.stmt]) -> list[str]:
    """The lines that import the same, in the order of the house, without those of other programs of the folder."""
    modules, names = set[str](), dict[str, set[str]]()
    for one in imports:
        if isinstance(one, ast.Import):
            modules |= {alias.name for alias in one.names}
        elif isinstance(one, ast.ImportFrom) and one.module is not None and not one.module.startswith(_PREFIX):
            names.setdefault(one.module, set()).update(alias.name for alias in one.names)
    names.pop("__future__", None)
    found = [f"import {name}" for name in sorted(modules)]
    return found + [f"from {name} import {', '.join(sorted(names[name]))}" for name in sorted(names)]


def _needed(name: str) -> list[str]:
    """The programs that ``name`` imports, and itself."""
    found = [one.module for one in _parts(name)[1] if isinstance(one, ast.ImportFrom)]
    return [*(module for module in found if module is not None and module.startswith(_PREFIX)), name]


def _parts(name: str) -> tuple[str, list[ast.stmt], str]:
    """The docstring of a program, its imports, and what follows."""
    text = (files("unrolled.export") / "folder" / f"{name}.py").read_text("utf-8")
    lines, tree = text.splitlines(), ast.parse(text)
    imports: list[ast.stmt] = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    first, last = tree.body[0].end_lineno, imports[-1].end_lineno
    return "\n".join(lines[:first]), imports, "\n".join(lines[last:]) + "\n"
