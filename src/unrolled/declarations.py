"""The options that a user may set, collected from their owners without importing these.

An owner is a part of a run (data, model, training) or a member of a registry. It declares its options in its own file,
in a class made of literals, so that ``--help`` can read them without importing torch::

    class Options(Part):
        crf: bool = option(False, "Label whole sequences at once, with a linear-chain CRF.", also=("use_crf",))

The flags of the command line, the keyword arguments of Python, the reference page and the parts of ``config.json``
are all derived from these declarations. For a member that a program registered, which is imported already, the class
itself is read.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from unrolled.errors import UsageError, named
from unrolled.registry import FOLDERS, Registry, registered_members

__all__ = ["Option", "Owner", "declared", "declared_by", "owners_of", "read_options", "unknown_option"]

_ROOT = Path(__file__).parent
_PARTS = {  # part of a run -> the file and the class that declare its options
    "data": ("data/config.py", "DataConfig"),
    "task": ("tasks/config.py", "TaskConfig"),
    "model": ("layers/config.py", "ModelConfig"),
    "training": ("training/config.py", "TrainingConfig"),
}
_OUTSIDE = {"exporter"}  # kinds of members that are no part of a run
_TYPES = {"str": str, "int": int, "float": float, "bool": bool}
_LIMITS = {"gt", "ge", "lt", "le", "pattern", "examples"}


@dataclass(frozen=True, slots=True)
class Option:
    """One declaration.

    Attributes:
        name: the name in Python; the flag has dashes instead of underscores.
        type: such as ``int | None`` or ``Literal["last", "mean"]``.
        default: the default value; ``None`` if it is chosen later.
        help: one or two sentences; the second describes a default that is chosen later.
        also: its names in other libraries, for "did you mean".
        limits: what pydantic checks: ``ge``, ``gt``, ``le``, ``lt``, ``pattern`` and ``examples``.
        field: its name in the class that declares it; the ``name`` of a part is an option with the name of that part.
    """

    name: str
    type: Any
    default: Any
    help: str
    also: tuple[str, ...]
    limits: Mapping[str, Any]
    field: str


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """An owner of options: a part of every run, or a member of a registry.

    Attributes:
        kind: the kind of member, such as ``task``; ``part`` for a part of a run.
        name: such as ``forecast``, or ``training``.
    """

    kind: str
    name: str

    @property
    def key(self) -> str:
        """Its key in ``config.json``.

        >>> Owner("task", "forecast").key
        'task.forecast'
        """
        return f"{self.kind}.{self.name}"


def declared() -> Mapping[Owner, tuple[Option, ...]]:
    """Every owner of options of a run, with these, the parts of a run first; imports none of them.

    Exporters have no part in a run: their options are those of ``unrolled export`` (see `declared_by`).

    >>> [option.name for option in declared()[Owner("part", "task")]]
    ['task']
    """
    registered = registered_members()
    found = _declared(frozenset(registered), tuple(sys.path))
    classes = {Owner(*names): getattr(member, "Options", None) for names, member in registered.items()}
    added = {o: _of_class(part) for o, part in classes.items() if part is not None and o.kind not in _OUTSIDE}
    return {**found, **{owner: options for owner, options in added.items() if options}} if added else found


def declared_by(kind: str) -> dict[Owner, tuple[Option, ...]]:
    """Every member of ``kind`` that declares options, with these; imports none that is in a file."""
    registered = {name: member for (of, name), member in registered_members().items() if of == kind}
    found = {
        Owner(kind, name): _of_class(registered[name].Options) if name in registered else _of_member(kind, name)
        for name in Registry(kind).names()
    }
    return {owner: options for owner, options in found.items() if options}


@functools.cache
def _declared(besides: Set[tuple[str, str]], _path: tuple[str, ...]) -> Mapping[Owner, tuple[Option, ...]]:
    """The options in files, without those of ``besides``; read again when ``sys.path`` changes the files."""
    found = {
        Owner("part", part): tuple(
            replace(option, name=part) if option.name == "name" else option
            for option in read_options(_ROOT / file, name)
        )
        for part, (file, name) in _PARTS.items()
    }
    kinds = [kind for kind in FOLDERS if kind not in _OUTSIDE]
    members = ((kind, name) for kind in kinds for name in Registry(kind).names())
    for kind, name in members:
        if (kind, name) not in besides and (options := _of_member(kind, name)):
            found[Owner(kind, name)] = options
    return found


def _of_member(kind: str, name: str) -> tuple[Option, ...]:
    """The options of a member; none if it is from another package and cannot be read, which `check_member` reports."""
    registry = Registry(kind)
    try:
        file = registry.source(name)
        return () if file is None else read_options(file, member=registry.attribute(name))
    except (UsageError, OSError, ValueError):  # a broken package must not affect other members
        if registry.is_own(name):
            raise
        return ()


@functools.cache
def _of_class(part: Any) -> tuple[Option, ...]:
    """The options that an imported class declares."""
    return tuple(_of_field(name, field) for name, field in part.model_fields.items() if field.description is not None)


def _of_field(name: str, field: Any) -> Option:
    limits = {
        key: getattr(one, key) for one in field.metadata for key in _LIMITS if getattr(one, key, None) is not None
    }
    if field.examples is not None:
        limits["examples"] = tuple(field.examples)
    also = tuple((field.json_schema_extra or {}).get("also", ()))
    return Option(name, field.annotation, field.default, field.description, also, limits, name)


def owners_of(name: str) -> list[Owner]:
    """The owners that declare the option ``name``; empty if there are none.

    >>> owners_of("lr")
    [Owner(kind='part', name='training')]
    """
    return [owner for owner, options in declared().items() if any(option.name == name for option in options)]


def unknown_option(name: str, known: Iterable[str] | None = None) -> UsageError:
    """The error for an unknown option; it suggests the one that was probably meant.

    Args:
        name: what the user wrote.
        known: further names that are allowed there.
    """
    options = {option.name: option for options in declared().values() for option in options}
    names = {*options, *(known or ())}
    meant = [option.name for option in options.values() if name in option.also]
    meant = meant or difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    guess = f" Did you mean {named(meant[0])}?" if meant else " All options are listed by: unrolled fit --help."
    return UsageError(f"unknown option {named(name)}.{guess}")


def read_options(file: Path, name: str = "Options", member: str = "MEMBER") -> tuple[Option, ...]:
    """The options that the class ``name`` in ``file`` declares, those of its bases first; else empty.

    Args:
        file: a Python file.
        name: the name of the class.
        member: the name of the member in the file; if that is a class itself, ``name`` is looked up inside it.

    Raises:
        ValueError: a declaration is not made of literals; the message names file and option.
    """
    text = file.read_text("utf-8")
    within = text if member == "MEMBER" else _class(text, member)
    found = within and _class(within, name)
    if not found:  # the class or the member has another name, or is imported
        shared = re.search(rf"^{member} = .*\bOptions=(\w+)", text, re.MULTILINE)
        alias = re.search(rf"^{member} = (\w+)(?:  #.*)?$", text, re.MULTILINE)
        if shared:
            return _named(file, text, shared[1])
        return _named(file, text, alias[1], name) if alias else ()
    (node,) = ast.parse(textwrap.dedent(found)).body  # parsing the whole file takes ten times as long
    assert isinstance(node, ast.ClassDef)
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != "Part"]
    inherited = [option for base in bases for option in _named(file, text, base)]
    return tuple({option.name: option for option in (*inherited, *_options(node, file))}.values())


def _class(text: str, name: str) -> str | None:
    """The source of the class ``name``, if it is in ``text``."""
    found = re.search(rf"^( *)class {name}\b.*\n(?:\1 +.*\n|\s*\n)*", text, re.MULTILINE)
    return found and found[0]


def _named(file: Path, text: str, name: str, inside: str | None = None) -> tuple[Option, ...]:
    """The options of the class ``name``, or of the class ``inside`` it, in ``file`` or in the file that it imports."""
    arguments = (name,) if inside is None else (inside, name)
    if _class(text, name) is not None:
        return read_options(file, *arguments)
    found = re.search(rf"^from ([\w.]+) import (?:[^\n(]*|\([^)]*)\b{name}\b", text, re.MULTILINE)
    origin = None if found is None else _file_of(found[1], file)
    return () if origin is None else read_options(origin, *arguments)


def _file_of(module: str, importer: Path) -> Path | None:
    """The file of a module that the file ``importer`` imports; only the packages around the module may be imported."""
    if module.startswith("unrolled."):
        return _ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")
    if module.startswith("."):
        inner = module.lstrip(".")
        folder = importer.parents[len(module) - len(inner) - 1]
        return folder.joinpath(*inner.split(".")).with_suffix(".py") if inner else None
    spec = importlib.util.find_spec(module)
    return None if spec is None or spec.origin is None or not spec.origin.endswith(".py") else Path(spec.origin)


def _options(node: ast.ClassDef, file: Path) -> Iterator[Option]:
    for line in node.body:
        match line:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                annotation=annotation,
                value=ast.Call(func=ast.Name(id="option"), args=[default, text], keywords=keywords),
            ):
                try:
                    values = {str(word.arg): ast.literal_eval(word.value) for word in keywords}
                    type_, first, help_ = _type(annotation), ast.literal_eval(default), ast.literal_eval(text)
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{file}, option {name}: must be declared with literals only: {error}") from None
                limits = {key: value for key, value in values.items() if key in _LIMITS}
                yield Option(name, type_, first, help_, tuple(values.get("also", ())), limits, name)


def _type(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name):
            return _TYPES[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left) | _type(right)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return Literal[ast.literal_eval(choices)]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[inner, ast.Constant(value=_)])):
            return tuple.__class_getitem__((_type(inner), ...))
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return dict.__class_getitem__((_type(key), _type(value)))
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
            return _type(inner)
    raise ValueError(f"an option cannot have the type {ast.unparse(node)!r}")
