"""Registries: the members of each kind (cells, layers, tasks, …) by name.

A folder of this package is a registry: each file in it with a line ``MEMBER = …`` is a member with the file's name. An
installed package adds members by entry points of the group ``unrolled.members``, a program by `register`. Names are
listed without importing anything. A member is imported when it is used, and only by its installed name, so that no
configuration can name a class.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.errors import ModelError, UsageError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "FOLDERS",
    "GROUP",
    "Registry",
    "check_members",
    "installed_members",
    "outside_members",
    "register",
    "registered_members",
]

GROUP = "unrolled.members"
FOLDERS = {
    "baseline": "baselines",
    "cell": "cells",
    "encoding": "data/encodings",
    "exporter": "export",
    "form": "data/forms",
    "layer": "layers",
    "metric": "metrics",
    "model": "models",
    "reader": "data/readers",
    "rule": "planning/rules",
    "solved": "solved",
    "task": "tasks",
}

_NOUNS = {"solved": "solved model"}  # where the kind alone is no noun
_PACKAGE_ROOT = Path(__file__).parent
_MEMBER_LINE = re.compile(r"^MEMBER\b.*=", re.MULTILINE)


class _Registered(NamedTuple):
    """A member that a program registered, and the module that registered it."""

    member: Any
    module: str
    file: str | None


_registered: dict[tuple[str, str], _Registered] = {}
_listed: dict[str, tuple[list[Any], dict[str, Any]]] = {}  # folder -> what was added, and all members: asked for often


class Registry:
    """The members of one kind.

    Args:
        kind: a key of `FOLDERS`; messages use it too.

    Example:
        >>> "lstm" in Registry("cell").names()
        True
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.folder = kind, FOLDERS[kind]

    def names(self) -> list[str]:
        """The members' names in alphabetical order; imports none of them."""
        added = {name for kind, name in [*_installed(tuple(sys.path)), *_registered] if kind == self.kind}
        return sorted({*_files(self.folder), *added})

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Any:
        """The member called ``name``.

        Raises:
            UsageError: there is no such member (the message suggests the nearest name), two packages have one, or its
                package cannot be imported.
        """
        found = self._find(name)
        if isinstance(found, _Registered):
            return found.member
        if isinstance(found, str):
            return importlib.import_module(found).MEMBER
        try:
            return found.load()
        except (ImportError, AttributeError) as error:
            raise UsageError(f"the {self.kind} {name!r} of {_package(found)} cannot be imported: {error}") from error

    def members(self) -> dict[str, Any]:
        """Every member by name; imports them all."""
        added = [one for (kind, _), one in _registered.items() if kind == self.kind]
        state = [_installed(tuple(sys.path)), *added]
        before, listed = _listed.get(self.folder, ([], {}))
        if len(state) != len(before) or any(one is not other for one, other in zip(state, before, strict=True)):
            listed = {name: self.get(name) for name in self.names()}
            _listed[self.folder] = state, listed
        return dict(listed)

    def source(self, name: str) -> Path | None:
        """The file that defines the member, or ``None`` if it is not in a file.

        The module of the member is not imported; only the packages around it are.

        Raises:
            UsageError: as `get`.
        """
        found = self._find(name)
        if isinstance(found, _Registered):
            return None if found.file is None else Path(found.file)
        if isinstance(found, str):
            return _PACKAGE_ROOT / self.folder / f"{name}.py"
        try:
            spec = importlib.util.find_spec(found.module)
        except ImportError:
            return None
        return None if spec is None or not spec.has_location or spec.origin is None else Path(spec.origin)

    def is_own(self, name: str) -> bool:
        """Whether a file of this package defines the member."""
        return name in _files(self.folder)

    def attribute(self, name: str) -> str:
        """The name of the member in the file that defines it.

        Raises:
            UsageError: as `get`.
        """
        found = self._find(name)
        return "MEMBER" if isinstance(found, str | _Registered) else found.attr

    def package_of(self, name: str) -> str | None:
        """The package that added the member, with its version, such as ``leaky-package 1.2``; ``None`` for Unrolled's.

        For a member that a program registered, it is the name of the module that registered it, without a version.

        Raises:
            UsageError: as `get`.
        """
        found = self._find(name)
        if isinstance(found, _Registered):
            return found.module
        return None if isinstance(found, str) else _package(found)

    def _find(self, name: str) -> str | EntryPoint | _Registered:
        """Where ``name`` comes from: a module of this package, an entry point, or a registration."""
        key = (self.kind, name)
        found: list[tuple[str, str | EntryPoint | _Registered]] = []
        if name in _files(self.folder):
            found.append(("unrolled", f"unrolled.{self.folder.replace('/', '.')}.{name}"))
        found += [(_package(point), point) for point in _installed(tuple(sys.path)).get(key, ())]
        if key in _registered:
            found.append((f"the module {_registered[key].module}", _registered[key]))
        if not found:
            raise UsageError(
                f"there is no {_NOUNS.get(self.kind, self.kind)} {name!r}.{did_you_mean(name, self.names())}"
            )
        if len(found) > 1:
            (first, _), (second, _), *_ = found
            raise UsageError(f"both {first} and {second} have a {self.kind} {name!r}: uninstall {second}")
        return found[0][1]


def register(kind: str, name: str, member: Any) -> None:
    """Add a member from a program or notebook; an installed package uses the entry points ``unrolled.members``.

    Args:
        kind: ``cell``, ``layer``, ``encoding``, ``form``, ``reader``, ``task``, ``baseline``, ``metric`` or
            ``exporter``.
        name: its name in options.
        member: what a file of that kind has in its line ``MEMBER = …``. The same module may register it again.

    Raises:
        UsageError: the kind is unknown, or another member of this kind has the name.

    Example::

        unrolled.register("cell", "leaky", Leaky)
        unrolled.fit("reviews.csv", target="sentiment", model="leaky")
    """
    if kind not in FOLDERS:
        raise UsageError(f"there is no kind of member {kind!r}.{did_you_mean(kind, FOLDERS)}")
    caller = sys._getframe(1).f_globals  # as `collections.namedtuple` finds its module: a member may be any object
    module, registry = str(caller.get("__name__")), Registry(kind)
    if name in registry and getattr(_registered.get((kind, name)), "module", None) != module:
        owner = registry.package_of(name) or "unrolled"
        raise UsageError(f"{owner} has a {kind} {name!r} already: {module} must register it under another name")
    _registered[kind, name] = _Registered(member, module, caller.get("__file__"))


def registered_members() -> dict[tuple[str, str], Any]:
    """(kind, name) -> member, for every member that a program registered."""
    return {key: registered.member for key, registered in _registered.items()}


def outside_members(used: Iterable[tuple[str, str]]) -> dict[str, str]:
    """``kind.name`` -> package, sorted by name, for those of ``used`` (kind, name) that other packages added."""
    packages = {f"{kind}.{name}": Registry(kind).package_of(name) for kind, name in sorted(used)}
    return {member: package for member, package in packages.items() if package is not None}


def installed_members() -> dict[str, str]:
    """``kind.name`` -> package, for every member that installed packages add, even of unknown kinds."""
    found = _installed(tuple(sys.path))
    return {f"{kind}.{name}": _package(point) for (kind, name), points in sorted(found.items()) for point in points}


def check_members(members: Any, place: str) -> None:
    """Raise a `ModelError` if one of ``members``, as listed by `outside_members`, is not available.

    Args:
        members: as read from ``config.json``, so it may be of any type.
        place: the run that uses them, for the message.
    """
    for member, package in members.items() if isinstance(members, dict) else ():
        kind, _, name = str(member).partition(".")
        if kind in FOLDERS and name not in Registry(kind):
            title, _, version = str(package).partition(" ")
            cause = (
                f"of the package {title!r}, which is not installed: pip install {title}"
                if version
                else f"that the module {title!r} registered: import that module first"
            )
            raise ModelError(f"{place}: this run uses the {kind} {name!r} {cause}")


@functools.cache
def _files(folder: str) -> tuple[str, ...]:
    files = sorted((_PACKAGE_ROOT / folder).glob("[a-z]*.py"))
    return tuple(file.stem for file in files if _MEMBER_LINE.search(file.read_text("utf-8")))


@functools.cache
def _installed(_path: tuple[str, ...]) -> dict[tuple[str, str], list[EntryPoint]]:
    """(kind, name) -> the entry points of that name; read again when ``sys.path`` changes."""
    from importlib.metadata import entry_points

    found: dict[tuple[str, str], list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        kind, _, name = point.name.partition(".")
        found.setdefault((kind, name), []).append(point)
    return found


def _package(point: EntryPoint) -> str:
    """The name and version of the distribution that an entry point belongs to."""
    assert point.dist is not None  # entry_points() always sets it
    return f"{point.dist.name} {point.dist.version}"
