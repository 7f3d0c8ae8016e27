"""Training progress: a live bar on a terminal or in a notebook, a line every ten seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from unrolled.errors import named

__all__ = ["Progress"]

_EVERY = 10.0  # seconds between two lines
_REFRESH = 4  # redraws of the bar a second


class Progress:
    """Reports a run on stderr or in a notebook: ``say`` prints a line, ``hook`` receives training events.

    Args:
        quiet: print nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._live = quiet, sys.stderr.isatty() and not quiet
        self._bar: Any = None
        self._notebook = None if quiet else _in_notebook()
        self._parts: dict[str, str] = {}
        self._said = time.monotonic()
        self._warnings = _Warnings(self)

    def __enter__(self) -> Progress:
        logging.getLogger("unrolled").addHandler(self._warnings)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("unrolled").removeHandler(self._warnings)
        self._stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if self._notebook is not None:
            self._notebook.say(line)
        elif self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def hook(self, event: dict[str, Any]) -> None:
        """Receive a training event."""
        if event["kind"] == "step":
            self._parts["loss"] = f"loss {event['loss']:.4g}"
        elif event["kind"] == "valid":
            measured = {name: v for name, v in event.items() if name not in _POSITION}
            from unrolled.metrics.metric import in_order  # it needs torch, and who asks for --help does not

            for metric, value in list(in_order(measured).items())[:1]:  # none if nothing could be scored
                self._parts["valid"] = f"valid {metric} {value:.4g}"
        elif event["kind"] in _SENTENCES:
            self.say(_SENTENCES[event["kind"]](event))
            if event["kind"] != "skipped":
                return
        else:  # training is over, and the splits are evaluated
            self._stop()
            return
        if self._notebook is not None:
            self._notebook.step(event, f"{self._share(event)}{self._text(event)}")
        elif self._live:
            self._draw(event)
        elif event["kind"] == "valid" or time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self.say(
                f"{self._share(event)}step {event['step']}, {event['seconds']:.0f} s: {', '.join(self._parts.values())}"
            )

    def _text(self, event: dict[str, Any]) -> str:
        return ", ".join([f"step {event['step']}", *self._parts.values()])

    def _share(self, event: dict[str, Any]) -> str:
        return "" if event["progress"] is None else f"{min(event['progress'], 1):.0%} "

    def _draw(self, event: dict[str, Any]) -> None:
        if self._bar is None:
            self._bar = _bar()
        (task,) = self._bar.task_ids
        share = event["progress"]
        done = {} if share is None else {"completed": min(share, 1.0)}
        self._bar.update(task, description=self._text(event), **done)

    def _stop(self) -> None:
        if self._notebook is not None:
            self._notebook.draw()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _in_notebook() -> Any:
    if "IPython" not in sys.modules:
        return None
    from unrolled.page.notebook import notebook_output
    from unrolled.runs.notebook_progress import NotebookProgress

    show = notebook_output()
    return None if show is None else NotebookProgress(show)


def _bar() -> Any:
    from rich import progress
    from rich.console import Console

    columns = (progress.BarColumn(), progress.TaskProgressColumn(), progress.TimeElapsedColumn())
    left, text = progress.TimeRemainingColumn(), progress.TextColumn("{task.description}")
    bar = progress.Progress(
        *columns, left, text, console=Console(stderr=True), refresh_per_second=_REFRESH, transient=True
    )
    bar.add_task("", total=1.0)
    bar.start()
    return bar


def _steps(event: dict[str, Any]) -> str:
    return f"training: {event['total']:,} steps ({event['per_second']:.3g} a second, measured once)"


def _fall(event: dict[str, Any]) -> str:
    if not event["steps"]:
        return f"step {event['step']}: no validation was better than the first weights, which are kept"
    why = f"nothing better since step {event['best']}; " if event["early"] else ""
    data = ", and the validation data is learned too" if event["refit"] else ""
    return f"step {event['step']}: {why}the learning rate falls for the last {event['steps']:,} steps{data}"


def _flat(event: dict[str, Any]) -> str:
    return (
        f"step {event['step']}: it learns nothing so far: its training loss is {event['loss']:.4g}, as at the start "
        f"({event['first']:.4g}). Check that the inputs say something about the target, or try another {named('lr')} "
        f"than {event['lr']:g}"
    )


def _refit(event: dict[str, Any]) -> str:
    if event["kept"]:
        return f"step {event['step']}: the weights that learned the validation data too are kept"
    return (
        f"step {event['step']}: learning the validation data raised the loss on it from {event['before']:.4g} to "
        f"{event['after']:.4g}, so the weights from before are kept"
    )


def _skipped(event: dict[str, Any]) -> str:
    return f"step {event['step']}: skipped, its loss or gradient is not finite"


_SENTENCES = {"steps": _steps, "fall": _fall, "flat": _flat, "refit": _refit, "skipped": _skipped}
_POSITION = ("kind", "step", "epoch", "seconds", "progress")


class _Warnings(logging.Handler):
    """Prints the warnings of the library like any other line."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.say(f"warning: {record.getMessage()}")
