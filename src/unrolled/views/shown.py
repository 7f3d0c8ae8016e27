"""Everything there is to see in a row, in the order in which it is read: verdicts first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from unrolled.page.document import Section, escaped
from unrolled.views.attending import attention
from unrolled.views.developing import developing
from unrolled.views.fan import fan, next_numbers
from unrolled.views.following import costs, expected
from unrolled.views.hidden import hidden_steps
from unrolled.views.labels import heard, tags
from unrolled.views.looked import ROW, Looked, View
from unrolled.views.memories import memories
from unrolled.views.ranked import ranked
from unrolled.views.roll import roll
from unrolled.views.states import answer, at_this_step, maps, row
from unrolled.views.unrolled import unrolled
from unrolled.views.wide_inputs import pictures

__all__ = ["answers_in", "shown", "verdicts"]

_OF_ANSWERS: tuple[View, ...] = (expected, ranked, roll, next_numbers, fan, tags, hidden_steps, heard, developing)
_OF_LAYERS: tuple[View, ...] = (attention, answer, memories, at_this_step, unrolled, maps)
_VIEWS: tuple[View, ...] = (row, pictures, *_OF_ANSWERS, *_OF_LAYERS, costs)


def shown(looked: Looked) -> list[Section]:
    """The sections of every view that has something to show."""
    return [_numbered(section, looked) for view in _VIEWS for section in view(looked)]


def answers_in(looked: Looked) -> list[Section]:
    """The row, what was answered, and what is right, without what went on inside; nothing where no view has that."""
    answers = [section for view in _OF_ANSWERS for section in view(looked)]
    return [_numbered(section, looked) for section in [*(row(looked) if answers else ()), *answers]]


def _numbered(section: Section, looked: Looked) -> Section:
    """With the row's own numbers at its steps; those of an answer, and of forecasts, begin at 0."""
    return replace(section, first=looked.start) if section.group == ROW else section


def verdicts(said: Sequence[tuple[str, str]]) -> Section:
    """(what about, a sentence), each on its line."""
    lines = "".join(f"<dt>{escaped(about)}</dt><dd>{escaped(sentence)}</dd>" for about, sentence in said)
    return Section("Verdicts", f'<dl class="verdicts">{lines}</dl>')
