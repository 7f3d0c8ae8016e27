"""The entry point: finds the command, runs it, and turns every error into one sentence and an exit code.

A command is a function in the file of its name. It prints its results on stdout, returns nothing (or an exit code), and
raises an error if it fails.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError

from unrolled.cli.output import emit
from unrolled.errors import (
    DataError,
    Elsewhere,
    Interrupted,
    SpaceError,
    UnrolledError,
    UsageError,
    as_flags,
    did_you_mean,
)
from unrolled.storage.directories import space_errors

__all__ = ["main"]

_TRACEBACK = "UNROLLED_TRACEBACK"
_VERBS = {
    "fit": "Train a model on a file of sequences.",
    "plan": "Show what fit would choose for a file, and why; train nothing.",
    "evaluate": "Evaluate a trained model on a file with the target.",
    "predict": "Predict the target of each row of a file.",
    "generate": "Continue a prompt.",
    "stream": "Predict live, line by line from stdin.",
    "serve": "Serve trained models: live sessions and predictions.",
    "export": "Write a trained model in a form that runs without this package.",
    "describe": "Show a model's parts, and draw it unrolled.",
    "trials": "Train a model for each combination of options, by any number of workers.",
    "compare": "Compare trained models on the same held-out data.",
    "inspect": "Show what a trained model remembers, which gates are stuck, and where it errs.",
    "watch": "Watch a training as it goes on.",
    "memory": "Show how far back a trained model's gradient reaches.",
    "probe": "Find the longest sequences on which a model can learn to remember.",
    "embed": "Learn word vectors from text, and find similar words.",
    "demo": "Train on folk tunes for two minutes, and write new ones.",
    "tour": "Train four tiny models, and open a page that walks through how they work.",
    "cache": "List or empty the prepared data that runs share.",
    "doctor": "Show what is installed, what is fast and what is missing.",
}
_HELP = "Deep sequence modelling: recurrent and attention models for any sequences, from a file to live predictions."
_EPILOGUE = (
    "Results go to stdout, progress and notes to stderr; --json prints one object, errors included. Exit codes: 0 ok, "
    "1 failure, 2 usage, 3 bad data, 4 bad or missing model, 5 out of space or memory, 130 and 143 stopped by a signal "
    "(after saving)."
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line ``words`` (by default the process's own) and return its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    try:
        with _sigterm_raises(), as_flags():
            code = _run(words)
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # the reader of the output, such as head, has enough
        _close_stdout()
        return 0
    except BaseException as error:
        if os.environ.get(_TRACEBACK) == "1":
            traceback.print_exc()
        known = _as_unrolled(error, words)
        _report(known, as_json="--json" in words)
        try:
            sys.stdout.flush()  # Python would do so at exit, and a full disk would change the exit code
        except OSError:
            _close_stdout()
        return known.exit_code


def _run(words: list[str]) -> int:
    verb, bound, _ = _app(words).parse_args(_dashes_last(words))
    if "" in bound.args:  # an unset variable of a shell, which would be read as the current folder
        raise UsageError("a run or a file is named by an empty word; give its name, or . for the current folder")
    return int(verb(*bound.args, **bound.kwargs) or 0)


def _dashes_last(words: list[str]) -> list[str]:
    """The same words, with a lone dash (standard input) behind ``--``, where nothing is read as an option."""
    if "--" in words or "-" not in words:
        return words
    return [*(word for word in words if word != "-"), "--", *(word for word in words if word == "-")]


def _app(words: list[str]) -> App:
    app = App(
        name="unrolled",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_format="markdown",
        version=lambda: str(importlib.import_module("unrolled").__version__),
        default_parameter=Parameter(negative=(), show_default=False),
        print_error=False,
        exit_on_error=False,
    )
    for order, (verb, summary) in enumerate(_VERBS.items()):
        # A command's own page is its docstring; the list of commands must not import them all.
        app.command(f"unrolled.cli.{verb}:{verb}", name=verb, help=None if verb in words else summary, sort_key=order)
    app.register_install_completion_command(help="Install completion for bash, zsh or fish, and exit.")
    return app


def _as_unrolled(error: BaseException, words: list[str]) -> UnrolledError:
    if isinstance(error, UnrolledError):
        return error
    if isinstance(error, UnknownCommandError):
        word = error.unused_tokens[0] if error.unused_tokens else ""
        return UsageError(f"unknown command {word!r}.{did_you_mean(word, _VERBS)} See: unrolled --help")
    if isinstance(error, CycloptsError):
        text = str(error).strip().rstrip(".")
        program = next((f"unrolled {word}" for word in words if word in _VERBS), "unrolled")
        if any(Path(token).is_file() for token in getattr(error, "unused_tokens", None) or ()):
            return UsageError("several files are given: put a pattern in quotes, as 'data/*.csv', or give their folder")
        return UsageError(f"{text[:1].lower()}{text[1:]}; see: {program} --help")
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("stopped by SIGINT", signal.SIGINT)
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, PermissionError) and error.filename and Path(error.filename).exists():
        # What is written says so where it is written: this is a file that was there to be read.
        return DataError("cannot be read: permission denied", file=str(error.filename))
    if isinstance(error, OSError | MemoryError | RuntimeError):
        try:
            with space_errors(getattr(error, "filename", None) or "the output"):
                raise error
        except (SpaceError, UsageError) as space:
            return space
        except (OSError, RuntimeError):
            pass
    reason = str(error).strip().split("\n")[0][:300]
    return UnrolledError(
        f"internal error ({type(error).__name__}: {reason}): please report it; {_TRACEBACK}=1 shows where it happened"
    )


def _report(error: UnrolledError, *, as_json: bool) -> None:
    if isinstance(error, Elsewhere):
        return
    try:
        if as_json:
            about: dict[str, Any] = {"type": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
            emit({"error": about | error.details()})
        else:
            print(f"error: {error}", file=sys.stderr, flush=True)
    except OSError:  # stderr is closed or full: the exit code still tells
        _close_stdout()


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """While a command runs, SIGTERM ends it as SIGINT does: by an exception, so that open files are closed."""

    def stop(number: int, _: object) -> NoReturn:
        raise Interrupted("stopped by SIGTERM", number)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where no signal arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _close_stdout() -> None:
    # Python flushes stdout again at exit; into /dev/null that cannot fail.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
