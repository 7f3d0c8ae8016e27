"""``unrolled serve``: live sessions and predictions of trained models over HTTP and WebSockets."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Group, Parameter

from unrolled.cli.flags import class_of_flags, flags_of
from unrolled.cli.output import Told, note
from unrolled.cli.settings import split_list
from unrolled.declarations import Owner, read_options
from unrolled.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from unrolled.api import Trained

    ServeFlags = Any
else:
    _DECLARED = {
        Owner("part", "serving"): read_options(Path(__file__).parents[1] / "serving/serve_options.py", "ServeOptions")
    }
    _MADE = class_of_flags("ServeFlags", flags_of(_DECLARED, Group("Server", sort_key=1)), __name__)
    ServeFlags = Parameter(name="*")(_MADE)

__all__ = ["serve"]

_PACKAGES = ("httptools", "msgspec", "prometheus_client", "starlette", "uvicorn", "websockets")
_LISTS = ("name", "origin", "proxy_from")


def serve(*runs: str, flags: ServeFlags | None = None, told: Told | None = None) -> int:
    """Serve trained models: live sessions, each of which can go on later and elsewhere.

    The first model is the default; `?model=NAME` chooses another by the name of its folder. SIGTERM ends the server in
    order: steps under way are answered, sessions are saved, and clients are told to come again.

    Args:
        runs: The run directories that fit wrote.
    """
    told = told or Told()
    if not runs:
        raise UsageError("serve needs a run: unrolled serve RUN; see: unrolled serve --help")
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "serve", "unrolled serve")
    from unrolled import api
    from unrolled.serving.serve_options import ServeOptions
    from unrolled.serving.server import run, tokens_of

    given = {name: value for name, value in asdict(flags or ServeFlags()).items() if value is not None}
    asked = {name: split_list(value) if name in _LISTS else value for name, value in given.items()}
    options = ServeOptions.check(asked)
    tokens_of(options)  # refused before anything is loaded
    names = [Path(folder).resolve().name for folder in runs]
    if len({*names}) < len(names):
        raise UsageError("two of these runs have the same name: their folders must have different ones")
    models = {name: api.load(folder) for name, folder in zip(names, runs, strict=True)}
    logging.basicConfig(level=logging.WARNING if told.quiet else logging.INFO, format="%(message)s")

    def started(port: int) -> None:
        host = f"[{options.host}]" if ":" in options.host else options.host
        for line in _greeting(f"http://{host}:{port}", models, bool(options.token_file)):
            note(line, quiet=told.quiet)

    return run(models, options, started)


def _greeting(address: str, models: dict[str, Trained], tokens: bool) -> list[str]:
    """Where the server is, what it does, and how to try it."""
    header = " -H 'Authorization: Bearer TOKEN'" if tokens else ""
    lines = [f"serving at {address}; Ctrl-C ends it"]
    for name, trained in models.items():
        lines.append(f"{name}: {trained.describe().title}; reads {', '.join(trained.task.coder.reads)}")
    lines += [
        "try it in a browser, or:",
        f"  curl -X POST{header} {address}/v1/sessions",
        f"  curl{header} {address}/v1/model",
    ]
    return lines
