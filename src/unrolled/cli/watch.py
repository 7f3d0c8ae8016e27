"""``unrolled watch``: a training as it goes on, read from its run directory by another process."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.output import Told, emit, note, number, page_file
from unrolled.storage.directories import write_file

if TYPE_CHECKING:
    from unrolled.runs.training_state import TrainingState

__all__ = ["watch"]

_EVERY = 0.5  # seconds between two looks at the directory
_WIDTH, _INDENT, _CURVE = 110, 15, 40  # characters
_ROWS = 6  # parts and gates that are shown, of a deep network
_NOTHING = {"finished": "no network was trained", "stopped": "nothing was logged"}
_LEVELS = "▁▂▃▄▅▆▇█"


def watch(run: str, /, *, once: bool = False, out: str | None = None, told: Told | None = None) -> None:
    """Watch a training as it goes on: loss, learning rate, gradients by layer, gates, a sample, and what is wrong.

    It reads the run directory only, and follows it until the training ends or is stopped; Ctrl-C ends it. Where stdout
    is no terminal, it prints a line for each new entry of the log, and with --json an object.

    Args:
        run: The run directory that fit writes.
        once: Print the state of this moment, and end.
        out: Write a page to this file too: HTML that works offline. Until the training ends it is written again and
            again, and a browser that shows it loads it again every few seconds.
    """
    told = told or Told()
    from unrolled.runs.training_state import read_state

    page = None if out is None else page_file(out)
    folder = Path(run)
    if once:
        states: Iterator[TrainingState] = iter([read_state(folder)])
    else:
        states = _states(folder)
    if page is not None:
        states = _written(states, page, once, told)
    if once:
        _print_whole(next(states), told)
    elif told.json or not _is_terminal():
        _follow_in_lines(states, told)
    else:
        _follow_live(states)


def _written(states: Iterator[TrainingState], page: Path, once: bool, told: Told) -> Iterator[TrainingState]:
    """The same states, each of them as a page first."""
    from unrolled.runs.training_page import training_page

    for nth, state in enumerate(states):
        write_file(page, training_page(state, follow=not once).encode())
        if not nth:
            note(f"wrote {page}", quiet=told.quiet)
        yield state


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _print_whole(state: TrainingState, told: Told) -> None:
    if told.json:
        emit({"run": str(state.run), **state.to_json()})
    else:
        print("\n".join(_block(state)))


def _states(folder: Path) -> Iterator[TrainingState]:
    """The state, again whenever something has changed, until nothing more will come."""
    from unrolled.runs.training_state import read_state, stamp

    seen: object = None
    while True:
        now = stamp(folder)
        if now != seen:
            seen, state = now, read_state(folder)
            yield state
            if state.over:
                return
        time.sleep(_EVERY)


def _follow_in_lines(states: Iterator[TrainingState], told: Told) -> None:
    doing, step, said = "", 0, set[str]()
    for state in states:
        if told.json:
            _print_whole(state, told)
            continue
        if state.doing != doing:
            doing = state.doing
            print(f"{state.run}: {state.sentence}", flush=True)
        if state.log.step > step:
            step = state.log.step
            print(_line(state), flush=True)
        for verdict in state.verdicts:
            if verdict not in said:
                said.add(verdict)
                print(verdict, flush=True)


def _follow_live(states: Iterator[TrainingState]) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False, vertical_overflow="crop") as live:
        for state in states:
            live.update(Text("\n".join(_block(state))), refresh=True)


def _line(state: TrainingState) -> str:
    log, now = state.log, state.to_json()
    share = "" if state.share is None else f"{state.share:.0%} "
    parts = [f"{name} {number(now[key])}" for name, key in (("loss", "loss"), ("rate", "lr"))]
    for name, value in list(state.validation(-1).items())[:1] if len(log.validated) else ():
        parts.append(f"valid {name} {number(value)}")
    if now["gradient_norm"] is not None:
        parts.append(f"gradient norm {number(now['gradient_norm'])}, {now['clipped_share']:.0%} of the steps clipped")
    return f"{share}step {log.step}, {log.spent:.0f} s: {', '.join(parts)}"


# --- the whole state as lines -------------------------------------------------------------------------------------


def _block(state: TrainingState) -> list[str]:
    lines = [f"{state.run}: {state.sentence}", *_progress(state)]
    for verdict in state.verdicts:
        lines += textwrap.wrap(verdict, _WIDTH)
    lines.append("")
    for part in (_losses, _gradients, _look):
        lines += [f"{name:<{_INDENT}}{text}".rstrip() for name, text in part(state)]
    return lines


def _progress(state: TrainingState) -> Iterator[str]:
    log = state.log
    if not len(log.steps) and not len(log.validated):
        yield _NOTHING.get(state.doing, "nothing is logged yet")
        return
    total = "" if log.total is None else f" of {log.total:,}"
    share = "" if state.share is None else f" ({state.share:.0%})"
    left = "" if state.doing != "training" or not log.left else f", about {_time(log.left)} left"
    yield f"step {log.step:,}{total}{share}, {_time(log.spent)}{left}"


def _losses(state: TrainingState) -> Iterator[tuple[str, str]]:
    log = state.log
    if len(log.steps):
        yield "loss", f"{number(log.losses[-1]):<10}{_curve(log.losses)}"
    names = list(state.validation(-1)) if len(log.validated) else []
    for name in [n for n in names[:1] if n != state.loss] + [n for n in names if n == state.loss]:
        values = log.valid[name]
        at = state.best
        best = "" if at is None else f"  ({number(values[at])} at step {log.validated[at]:,}, the best)"
        yield "valid", f"{number(values[-1]):<10}{_curve(values)}  {name}{best}"
    if len(log.steps):
        phase = f"{log.phases[-1].name} since step {log.phases[-1].step:,}"
        yield "rate", f"{number(log.rates[-1]):<10}{_curve(log.rates)}  {phase}"


def _gradients(state: TrainingState) -> Iterator[tuple[str, str]]:
    from unrolled.runs.training_log import spread

    log = state.log
    if not log.parts:
        if len(log.steps):
            yield "gradient", "its norm was not logged: an earlier version trained this run"
        return
    yield "gradient norm", f"{number(log.norms[-1]):<10}{_curve(log.norms)}"
    now = {name: float(log.parts[name][-1]) for name in spread(log.parts, _ROWS)}
    most, width = max([value for value in now.values() if value == value], default=0.0), max(map(len, now))
    for name, value in now.items():
        bar = "█" * round(_CURVE * value / most) if most and value == value else ""
        yield "", f"{name:<{width}}  {number(value):<10}{bar or '·'}"
    skipped = f"; {log.skipped:,} steps were skipped, as they were not finite" if log.skipped else ""
    yield "clipped", f"{log.clipped[-1]:.0%} of the last steps{skipped}"


def _look(state: TrainingState) -> Iterator[tuple[str, str]]:
    from unrolled.runs.training_log import spread

    if not state.log.looks:
        return
    look = state.log.looks[-1]
    if look.gates:
        names = spread(look.gates, _ROWS)
        width = max(map(len, names))
        yield f"{'gates':<{_INDENT}}", f"at step {look.step:,}: share of steps and units below 0.1, and above 0.9"
        for name in names:
            shares = look.gates[name]
            yield "", f"{name:<{width}}  {shares['closed']:>5.0%}  {shares['open']:>5.0%}"
    if look.sample:
        yield "sample", f"at step {look.step:,}"
        for name, value in look.sample.items():
            yield f"  {name}", _quoted(value)


def _quoted(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_quoted(one)}" for name, one in value.items())
    text = number(value) if isinstance(value, float) else repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _curve(values: Any) -> str:
    """A curve in a line of characters, from the first value to the last."""
    import numpy as np

    bins = [part[np.isfinite(part)] for part in np.array_split(values, min(_CURVE, len(values)))]
    known = np.array([part.mean() for part in bins if len(part)])
    if not len(known):
        return ""
    low, span = known.min(), known.max() - known.min()
    places = (known - low) / span * (len(_LEVELS) - 1) if span > 0 else np.zeros(len(known))
    return "".join(_LEVELS[round(place)] for place in places.tolist())


def _time(seconds: float) -> str:
    """A time in its largest two units.

    >>> _time(7.4), _time(125), _time(7_260)
    ('7 s', '2 min 5 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
