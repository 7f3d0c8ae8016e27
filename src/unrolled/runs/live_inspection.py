"""A row that is looked at while it is typed, and while units of the model are held still.

Axes: T steps.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.encodings.facets import Text
from unrolled.errors import DataError, UsageError, named
from unrolled.inspection.interventions import Held, Uniform
from unrolled.inspection.trace import Change, Trace, losses_of, trace
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.page.document import Section, document, escaped, payload
from unrolled.page.live_page import LivePage
from unrolled.runs.continuation import unseen
from unrolled.runs.inspecting import Inspection
from unrolled.runs.trained import Trained
from unrolled.views.looked import Looked, steps_of
from unrolled.views.resting import resting
from unrolled.views.shown import shown
from unrolled.watch import watching

__all__ = ["LiveInspection", "serve"]

_MOST = 20_000  # steps of a session
_WINDOWS = 8  # of the browser whose texts are kept


@dataclass(slots=True)
class _Typed:
    """What was typed in one window of the browser, and how it is read.

    Attributes:
        change: what is held still.
        ids: the symbols so far; none where the row of the inspection is shown.
        state: of the model after them.
        last: the trace of the last of them.
    """

    change: Change = None
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    state: Any = None
    last: Trace | None = None


class LiveInspection:
    """What the live page asks for. Each answer is what the views draw: all of the row, or what a step added.

    Args:
        trained: the model.
        inspection: of the row that the page opens with.

    A pushed step costs one step of the model, where it carries a state, and the whole text again elsewhere.
    """

    def __init__(self, trained: Trained, inspection: Inspection) -> None:
        self._trained, self._inspection = trained, inspection
        coder = trained.task.coder
        answer = coder.answer
        one_text = isinstance(answer, Text) and answer.unit == "character" and list(coder.inputs) == [coder.target]
        self._text = answer if isinstance(answer, Text) and one_text and coder.form.predicts_next else None
        if trained.network.cannot_stream is not None:
            self._text = None
        self._paths = inspection.trace.names
        self._windows: dict[str, _Typed] = {}

    def page(self, port: int = 0) -> LivePage:
        """The page, which answers on ``port`` of the loopback address, 0 for any free one."""
        seen = self._inspection
        said, *others = seen.sections()
        sections = [said, self._controls(), *others]
        html = document(seen.title, seen.where, sections, live=True)
        return LivePage(html, {"/open": self.open, "/push": self.push, "/why": self.why}, port=port)

    def _controls(self) -> Section:
        units = {name: self._count(path) for name, path in self._paths.items() if not _attends(path)}
        heads = {name: self._count(path) for name, path in self._paths.items() if _attends(path)}
        held = {"units": {name: count for name, count in units.items() if count}, "heads": heads}
        return Section("Try it", view="live", data={"types": self._text is not None, **held}, group="row")

    def _count(self, path: str) -> int:
        """The units of a gate or state, or the heads of attention; 0 of what has neither."""
        value = self._inspection.trace.values[path]
        if _attends(path):
            return 1 if value.dim() == 2 else value.shape[1]
        return value.shape[1] if value.dim() == 2 else 0

    def open(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Read a text, or the row of the inspection, from its start.

        Args:
            asked: the ``window`` that asks; ``text``, where another one is to be read; and ``held``: each with the
                ``name`` of a gate or state, a ``unit`` and its ``value``, or the name of attention and as ``unit`` a
                head that is made uniform.

        Raises:
            UsageError: there is no such unit or head, or the text is empty.
            DataError: the model never saw a symbol of the text.
        """
        held = asked.get("held", [])
        change = self._changing(held)
        text = asked.get("text")
        if text is None or self._text is None:
            batch = self._inspection.trace.batch
            assert batch is not None
            self._keep(asked, _Typed())
            found, _ = self._run(batch, None, change)
            return self._told(found, self._inspection.start, 0, held)
        ids = self._encoded(str(text), opening=True)
        typed = _Typed(change, ids, self._trained.network.initial_state(1))
        self._keep(asked, typed)
        return self._read(typed, ids, 0, held)

    def push(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Read ``symbols`` after the text so far.

        Args:
            asked: the ``window``, and ``symbols``, a text.

        Raises:
            UsageError: no text was opened, or the session has as many steps as it keeps.
            DataError: the model never saw one of them.
        """
        typed = self._of_window(asked)
        if self._text is None or typed.last is None:
            raise UsageError("open a text first")
        ids = self._encoded(str(asked["symbols"]), opening=False)
        before = len(typed.ids)
        if before + len(ids) > _MOST:
            raise UsageError(f"this session has read {_MOST:,} steps, the most that it keeps: start another text")
        typed.ids = np.concatenate([typed.ids, ids])
        return self._read(typed, ids, before, [])

    def why(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the answer after ``step`` rests on, as HTML; nothing is held still meanwhile.

        Args:
            asked: the ``window``, and ``step``, from 0.

        Raises:
            UsageError: there is no such step.
        """
        task, step, ids = self._trained.task, int(asked["step"]), self._of_window(asked).ids
        found, first = self._inspection.trace, self._inspection.start
        if len(ids):
            batch, first = _row(task.coder.target, ids), 0
            found = self._followed(trace(self._trained.network, task, batch, keep=lambda _: False))
        one_answer = task.pooled or found.loss is None
        why = found.attribute(-1 if one_answer else step).within(first, steps_of(Looked(task, found, first)))
        shown_why = [section.body for section in resting(why)]
        return {"html": "".join(shown_why) or f"<p>{escaped(why.sentence)}</p>"}

    def _of_window(self, asked: dict[str, Any]) -> _Typed:
        """What was typed in the window that asks."""
        return self._windows.get(str(asked.get("window")), _Typed())

    def _keep(self, asked: dict[str, Any], typed: _Typed) -> None:
        """Keep what was typed in the window that asks, and forget that of the one that opened a text longest ago."""
        window = str(asked.get("window"))
        self._windows.pop(window, None)
        self._windows[window] = typed
        if len(self._windows) > _WINDOWS:
            del self._windows[next(iter(self._windows))]

    def _encoded(self, text: str, *, opening: bool) -> np.ndarray:
        assert self._text is not None
        if unknown := unseen(self._trained.task, text):
            listed = ", ".join(map(repr, unknown[:10]))
            raise DataError(f"the model never saw {listed} in training", file="the text", hint="leave it out")
        ids = self._text.encode_text(text).astype(np.int64)
        if opening or not self._text.framed:
            return ids
        return ids[1:]  # <begin> stands before the first text only

    def _read(self, typed: _Typed, ids: np.ndarray, before: int, held: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Read steps from the state so far. The step before them is told again, since what followed it is known now."""
        if not len(ids):
            raise UsageError("there is nothing to read: type a symbol")
        batch = _row(self._trained.task.coder.target, ids)
        found, typed.state = self._run(batch, typed.state, typed.change)
        last = typed.last
        if last is not None:
            found = _joined(last, found)
        typed.last = _end(found)
        return self._told(found, 0, before - (last is not None), held)

    def _run(self, batch: Batch, state: Any, change: Change) -> tuple[Trace, Any]:
        network, task = self._trained.network, self._trained.task
        network.eval()
        with torch.no_grad(), watching(recorder := Recorder(network, change=change)):
            outputs, after = network.run(batch, state)
        values = {path: value[0] for path, value in recorder.take().items()}
        steps = int(batch.lengths[0])
        alone = outputs[0] if isinstance(outputs, Tensor) else outputs
        found = Trace(steps, values, alone, {}, None, float("nan"), batch=batch)
        return replace(found, loss=losses_of(task, outputs, batch)), after

    def _told(self, found: Trace, first: int, start: int, held: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What the views draw of steps; ``first`` is the number of the first one that is shown at all."""
        if self._text is not None and found.batch is not None and found.batch.target is None:
            found = self._followed(found)
        told = payload(shown(replace(self._inspection.looked(), trace=found, start=first, prefixes=None)))
        loss = None if found.loss is None else found.loss[~found.loss.isnan()]
        mean = None if loss is None or not len(loss) else float(loss.mean())
        return {**told, "from": start, "steps": start + found.steps, "loss": mean, "held": len(held)}

    def _followed(self, found: Trace) -> Trace:
        """With what followed each step as its target; what follows the last one is not known."""
        assert found.batch is not None
        name = self._trained.task.coder.target
        ids = found.batch.inputs[name]
        target = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], -100)], 1)
        batch = replace(found.batch, target=target)
        loss = losses_of(self._trained.task, found.outputs[None], batch)
        assert loss is not None
        loss[-1] = torch.nan
        return replace(found, batch=batch, loss=loss)

    def _changing(self, held: Sequence[dict[str, Any]]) -> Change:
        changes: list[Held | Uniform] = []
        for one in held:
            name, unit = str(one["name"]), int(one["unit"])
            path = self._paths.get(name)
            if path is None or not 0 <= unit < self._count(path):
                raise UsageError(f"there is no unit {unit} of {name!r} to hold")
            changes.append(Uniform(path, unit) if _attends(path) else Held(path, unit, float(one["value"])))

        def change(path: str, value: Tensor) -> Tensor:
            for each in changes:
                value = each(path, value)
            return value

        return change if changes else None


def serve(trained: Trained, inspection: Inspection, *, port: int = 0, browser: bool = True) -> None:
    """Print the address of the live page, and answer it until Ctrl-C, its End button, or half an hour of silence.

    Args:
        trained, inspection: as for `LiveInspection`.
        port: of the loopback address; 0 for any free one.
        browser: open the page.

    Raises:
        UsageError: the port is taken.
    """
    try:
        page = LiveInspection(trained, inspection).page(port)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used ({error.strerror}): choose another {named('port')}") from None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one step is too little work for two
    print(page.address, flush=True)
    if browser:
        webbrowser.open(page.address)
    try:
        page.serve()
    except KeyboardInterrupt:  # the ordinary end
        pass
    finally:
        torch.set_num_threads(threads)


def _attends(path: str) -> bool:
    """Whether a traced value is the weights of attention."""
    return path.rpartition(".")[2] == "attention"


def _row(name: str, ids: np.ndarray) -> Batch:
    one = torch.zeros(1, dtype=torch.int64)
    return Batch({name: torch.from_numpy(ids)[None]}, one + len(ids), one)


def _end(found: Trace) -> Trace:
    """The last step of a trace."""
    assert found.batch is not None
    (name,) = found.batch.inputs
    batch = _row(name, found.batch.inputs[name][0, -1:].numpy())
    values = {path: value[-1:] for path, value in found.values.items()}
    return replace(found, steps=1, values=values, outputs=found.outputs[-1:], batch=batch, loss=None)


def _joined(one: Trace, two: Trace) -> Trace:
    """Two traces behind each other; of what both have the same units."""
    assert one.batch is not None and two.batch is not None
    (name,) = one.batch.inputs
    ids = torch.cat([one.batch.inputs[name][0], two.batch.inputs[name][0]])
    values = {
        path: torch.cat([value, two.values[path]])
        for path, value in one.values.items()
        if path in two.values and value.shape[1:] == two.values[path].shape[1:]
    }
    outputs = torch.cat([one.outputs, two.outputs])
    return replace(two, steps=len(ids), values=values, outputs=outputs, batch=_row(name, ids.numpy()))
