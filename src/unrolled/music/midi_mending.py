"""Mend what many programs write into MIDI files against the rules: numbers above 127, and notes that never end."""

from __future__ import annotations

from dataclasses import dataclass

from unrolled.errors import counted

__all__ = ["Mended", "mended"]

_OFF, _ON, _PROGRAM, _PRESSURE, _SYSEX, _ESCAPE, _META = 0x80, 0x90, 0xC0, 0xD0, 0xF0, 0xF7, 0xFF
_END = 0x2F
_DRUMS = 9
_MOST = 127
_ENDLESS = ("note that never ends is", "its track"), ("notes that never end are", "their tracks")
_CHUNK = 8  # bytes of the name and the size of a chunk


@dataclass(frozen=True, slots=True)
class Mended:
    """A MIDI file that keeps the rules.

    Attributes:
        data: the file.
        above: how many numbers were above 127.
        endless: how many notes had no end.
    """

    data: bytes
    above: int = 0
    endless: int = 0

    def say(self) -> str:
        """What was mended, as a phrase to follow the name of the file; empty if nothing was."""
        parts = []
        if self.above:
            parts.append(f"{counted(self.above, 'number')} above 127, the highest there is, read as 127")
        if self.endless:
            one, several = (f"{ends} read as ending with {tracks}" for ends, tracks in _ENDLESS)
            parts.append(counted(self.endless, one, several))
        return "; ".join(parts)


def mended(data: bytes) -> Mended:
    """``data`` with numbers of at most 127, and with an end for each note, at the end of its track.

    Notes of drums are left as they are. A track that cannot be followed to its end is left as it is.

    Args:
        data: a Standard MIDI File.

    Cost: O(bytes), in Python.

    Example:
        >>> head = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96])
        >>> events = bytes([0, 0x90, 60, 200, 96, 0xFF, 0x2F, 0])
        >>> found = mended(head + b"MTrk" + len(events).to_bytes(4, "big") + events)
        >>> found.data[-11:].hex(" "), found.above, found.endless
        ('90 3c 7f 60 80 3c 00 00 ff 2f 00', 1, 1)
    """
    parts: list[bytes | bytearray | memoryview] = []
    above = endless = at = 0
    view = memoryview(data)
    while at + _CHUNK <= len(data):
        size = int.from_bytes(data[at + 4 : at + _CHUNK], "big")
        end = at + _CHUNK + size
        track = (
            _Track(bytearray(data[at + _CHUNK : end])) if data[at : at + 4] == b"MTrk" and end <= len(data) else None
        )
        if track is not None and track.follow() and (track.above or sum(track.open.values())):
            above, endless = above + track.above, endless + sum(track.open.values())
            track.close()
            parts += [b"MTrk", len(track.events).to_bytes(4, "big"), track.events]
        else:
            parts.append(view[at:end])
        at = end
    if not above and not endless:
        return Mended(data)
    return Mended(b"".join([*parts, view[at:]]), above, endless)


class _Track:
    """The events of a track, which are mended in place.

    Attributes:
        events: the bytes.
        above: how many numbers were above 127.
        open: channel · 128 + pitch -> how many such notes sound.
    """

    def __init__(self, events: bytearray) -> None:
        self.events, self.above = events, 0
        self.open: dict[int, int] = {}
        self._end: int | None = None  # where the last event starts, after its wait

    def follow(self) -> bool:
        """Read all events; whether the track is whole."""
        try:
            self._follow()
        except IndexError:
            return False
        return True

    def _follow(self) -> None:
        events, at, status = self.events, 0, 0
        while at < len(events):
            at = at + 1 if events[at] <= _MOST else self._number(at)[1]
            first = events[at]
            if first == _META:
                if events[at + 1] == _END:
                    self._end = at
                    return
                size, at = self._number(at + 2)
                at += size
            elif first in (_SYSEX, _ESCAPE):
                size, at = self._number(at + 1)
                at += size
            else:
                if first & 0x80:
                    status, at = first, at + 1
                if not _OFF <= status < _SYSEX:
                    raise IndexError
                at = self._message(status, at)

    def _message(self, status: int, at: int) -> int:
        """Read the numbers of a message from ``at`` on; where the next event starts."""
        events, kind = self.events, status & 0xF0
        after = at + (1 if kind in (_PROGRAM, _PRESSURE) else 2)
        if events[at] > _MOST or events[after - 1] > _MOST:
            self._clip(at, after)
        if kind <= _ON and status & 0x0F != _DRUMS:
            note = (status & 0x0F) << 7 | events[at]
            if kind == _ON and events[at + 1]:
                self.open[note] = self.open.get(note, 0) + 1
            elif self.open.get(note):
                self.open[note] -= 1
        return after

    def _clip(self, start: int, stop: int) -> None:
        for place in range(start, stop):
            if self.events[place] > _MOST:
                self.events[place] = _MOST
                self.above += 1

    def _number(self, at: int) -> tuple[int, int]:
        """A number of 7 bits a byte, of which all but the last have the eighth bit; and where it ends."""
        value = 0
        while True:
            byte = self.events[at]
            value, at = value << 7 | byte & _MOST, at + 1
            if byte <= _MOST:
                return value, at

    def close(self) -> None:
        """End the notes that sound where the track ends."""
        notes = [bytes([_OFF | at >> 7, at & _MOST, 0]) for at, many in self.open.items() for _ in range(many)]
        if self._end is None:
            self.events += b"".join(b"\0" + note for note in notes)
        elif notes:  # after the wait before the end
            self.events[self._end : self._end] = b"\0".join([*notes, b""])
