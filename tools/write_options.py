"""Writes what is derived from the declared options and checked in: the keyword arguments of Python, and a page.

``python tools/write_options.py`` writes both; a test compares them with what it would write.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unrolled.declarations import Option, Owner, declared
from unrolled.registry import Registry

ROOT = Path(__file__).parent.parent
KEYWORDS = ROOT / "src" / "unrolled" / "runs" / "keywords.py"
PAGE = ROOT / "docs" / "options.md"

_TITLES = {
    "part": "Every run: {}",
    "task": "The task {}",
    "encoding": "Columns of kind {}",
    "reader": "Files that are read as {}",
    "model": "Models of type {}",
    "layer": "The model {}",
    "cell": "The model {}",
    "baseline": "The baseline {}",
    "metric": "The metric {}",
}


def keywords() -> str:
    """The module that holds the keyword arguments of ``fit`` with their types, for editors and mypy."""
    lines = [
        '"""The keyword arguments of ``fit``. Written by tools/write_options.py from the declared options."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping, Sequence",
        "from pathlib import Path",
        "from typing import Literal, TypedDict",
        "",
        '__all__ = ["Keywords"]',
        "",
        "",
        "class Keywords(TypedDict, total=False):",
        '    """Every option, each with its type; ``docs/options.md`` explains them."""',
        "",
    ]
    by_name = {option.name: option for options in _ours().values() for option in options}
    return "\n".join([*lines, *(f"    {name}: {_accepted(by_name[name])}" for name in sorted(by_name)), ""])


def page() -> str:
    """The reference page: the options of each owner in a table."""
    return "\n".join(["# Options", "", *_introduction(), *(line for owner in _ours() for line in _section(owner)), ""])


def _ours() -> dict[Owner, tuple[Option, ...]]:
    """The options that this package declares, whatever other packages are installed."""
    return {
        owner: options
        for owner, options in declared().items()
        if owner.kind == "part" or Registry(owner.kind).is_own(owner.name)
    }


def _introduction() -> list[str]:
    return [
        "Every option of `unrolled fit`, by its owner. In Python an option is a keyword argument of `unrolled.fit`;",
        "on the command line it is a flag with dashes instead of underscores; in a file for `--config` it is a key.",
        "An option that has no effect in a run is refused.",
        "",
    ]


def _section(owner: Owner) -> Iterator[str]:
    yield from (
        f"## {_TITLES[owner.kind].format(owner.name)}",
        "",
        "| option | type | default | |",
        "|---|---|---|---|",
    )
    for option in declared()[owner]:
        limits = _limits(option)
        told = f"{option.help} {limits}" if limits else option.help
        yield f"| `{option.name}` | {_type(option.type)} | {_default(option.default)} | {told} |"
    yield ""


def _accepted(option: Option) -> str:
    if option.name in ("init_from", "vectors"):
        return "str | Path"
    if option.name == "target":
        return "str | Sequence[str]"
    origin, inner = typing.get_origin(option.type), typing.get_args(option.type)
    if origin is tuple:
        return f"Sequence[{inner[0].__name__}]"
    if origin is dict:
        return "Mapping[str, str]"
    return _spelled(option.type)


def _spelled(type_: Any) -> str:
    if typing.get_origin(type_) is Literal_:
        return f"Literal[{', '.join(repr(choice) for choice in typing.get_args(type_))}]".replace("'", '"')
    if isinstance(type_, type):
        return type_.__name__
    return " | ".join(_spelled(part) for part in typing.get_args(type_) if part is not type(None))


Literal_ = typing.Literal


def _type(type_: Any) -> str:
    origin, inner = typing.get_origin(type_), typing.get_args(type_)
    if origin is Literal_:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin is tuple:
        return f"list of {inner[0].__name__}"
    if origin is dict:
        return "mapping"
    if isinstance(type_, type):
        return type_.__name__
    return " or ".join(_type(part) for part in inner if part is not type(None))


def _default(value: Any) -> str:
    return "" if value is None or value in ((), {}) else f"`{value}`"


def _limits(option: Option) -> str:
    words = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
    told = [words[key].format(value) for key, value in option.limits.items() if key in words]
    if examples := option.limits.get("examples"):
        told.append(f"such as {', '.join(f'`{example}`' for example in examples)}")
    return f"Range: {', '.join(told)}." if told else ""


if __name__ == "__main__":
    for file, text in ((KEYWORDS, keywords()), (PAGE, page())):
        file.write_text(text, "utf-8")
        print(file.relative_to(ROOT))
