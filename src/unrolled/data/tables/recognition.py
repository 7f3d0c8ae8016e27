"""Which reader a file has: by its content, then by its suffix; or the one that the user names."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unrolled.data.config import DataConfig
from unrolled.data.io.folder import listed
from unrolled.data.io.unpacking import Beginning, beginning, plain_name
from unrolled.data.readers._foreign import Foreign, foreign, is_web_page
from unrolled.data.readers.reader import READERS, Reader, reader_of, suffixes
from unrolled.errors import DataError, UsageError, counted, did_you_mean, named

__all__ = ["Choice", "UnknownFormat", "meant_instead", "reader_of_file", "reader_with_names", "readers_of_folder"]

_SURE, _LIKELY = 100, 50
_SAMPLE = 5  # files of each vague suffix in a folder that are looked into


class UnknownFormat(DataError):
    """Neither the content of a file nor its name shows a format."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The name of a reader, and what the user should know of why it was chosen; empty if the suffix says so."""

    reader: str
    remark: str = ""


def reader_of_file(path: Path, config: DataConfig) -> Choice:
    """The reader of one file.

    What the content shows for certain counts most; then ``config.format``; then the suffix, unless it says little, such
    as ``.txt``; then what the content looks like.

    Raises:
        DataError: there is no such file, or nothing reads it (an `UnknownFormat` if it may be a text).
        UsageError: ``config.format`` names no format, or the file may be of two formats.
    """
    known = suffixes()
    asked = _asked(config, known)
    if not os.path.lexists(path) and "\0" not in path.name:
        raise DataError("there is no such file or folder", file=str(path), hint=meant_instead(path))
    seen = beginning(path)
    by_name = reader_of(path, known) or reader_of(Path(seen.name), known)
    best, score = _best(seen)
    if score == _SURE:
        wanted = asked or by_name
        return Choice(best, "" if wanted == best else _contradicts(path, best))
    unread = foreign(seen) or (None if asked or _is_text(by_name, seen) else is_web_page(seen))
    if unread is not None and seen.data:
        raise _unreadable(path, unread)
    if asked is not None:
        return Choice(asked)
    if by_name is not None and not _is_vague(seen.name, by_name):
        return Choice(by_name)
    if score >= _LIKELY:
        return Choice(best, "" if best == by_name else _contradicts(path, best))
    if score:
        raise _undecided(path, best, by_name)
    if by_name is None:
        raise _unknown(path, seen)
    return Choice(by_name)


def reader_with_names(path: Path) -> str | None:
    """The reader of a file whose columns the user names, if it takes names and is not that of tables."""
    name = _recognised(path, _SURE) or reader_of(path, suffixes())
    return name if name is not None and READERS.get(name).headed else None


def readers_of_folder(files: Sequence[Path], config: DataConfig) -> dict[Path, str | None]:
    """The reader of each file of a folder; ``None`` for files that nothing reads.

    A suffix decides, since all files of a kind have the same one. Files whose suffix is unknown are looked into; where
    the first files of a vague suffix, such as ``.txt``, are all of another format, so are the others.

    Raises:
        UsageError: ``config.format`` names no format, or the files may be of two formats.
    """
    known = suffixes()
    asked = _asked(config, known)
    if asked is not None:
        return dict.fromkeys(files, asked)
    found = {file: reader_of(file, known) for file in files}
    for suffix in {suffix for reader in READERS.members().values() for suffix in reader.vague}:
        alike = [file for file in files if plain_name(file).lower().endswith(suffix)]
        sample = [(_recognised(file, _LIKELY), _recognised(file, 1)) for file in alike[:_SAMPLE]]
        if not sample or len({*sample}) > 1 or sample[0][1] is None:
            continue
        likely, perhaps = sample[0]
        if likely is None:
            raise _undecided(alike[0].parent, str(perhaps), reader_of(alike[0], known))
        found |= dict.fromkeys(alike, likely)
    return {file: name or _recognised(file, _SURE) for file, name in found.items()}


def _recognised(file: Path, least: int) -> str | None:
    """The reader that recognises a file, being at least so sure."""
    try:
        seen = beginning(file)
    except DataError:
        return None
    best, score = _best(seen)
    return best if score >= least else None


def _best(seen: Beginning) -> tuple[str, int]:
    """The reader that recognises a file most surely, and how sure it is; 0 if none does, or the file is empty."""
    scores = {name: reader.recognises(seen) for name, reader in READERS.members().items()} if seen.data else {"": 0}
    best = max(scores, key=lambda name: scores[name])
    return best, scores[best]


def _asked(config: DataConfig, known: Mapping[str, str]) -> str | None:
    """The reader that ``config.format`` names: by its own name, or by a suffix without its dot."""
    if not config.format:
        return None
    suffix = f".{config.format.lower().removeprefix('.')}"
    if suffix in known:
        return known[suffix]
    if config.format in READERS:
        return config.format
    names = {*READERS.names(), *(ending[1:] for ending in known)}
    raise UsageError(f"there is no format {config.format!r}.{did_you_mean(config.format, names)}")


def _is_vague(name: str, reader: str) -> bool:
    return name.lower().endswith(READERS.get(reader).vague or "\0")


def _is_text(by_name: str | None, seen: Beginning) -> bool:
    """Whether the suffix says that the file is a text, which may well be the source of a web page."""
    reader: Reader | None = None if by_name is None else READERS.get(by_name)
    return reader is not None and not reader.tabular and not _is_vague(seen.name, str(by_name))


def _contradicts(path: Path, reader: str) -> str:
    return f"{path.name} is read as {reader}, as its content shows ({named('format')} chooses another format)"


def meant_instead(path: Path) -> str | None:
    """A question that names the file beside ``path``, which is not there, that has nearly its name."""
    try:
        beside = sorted(other.name for other in path.parent.iterdir())
    except (OSError, ValueError):
        beside = []
    close = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.75)
    return f"did you mean {str(path.parent / close[0])!r}?" if close else None


def _unreadable(path: Path, found: Foreign) -> DataError:
    return DataError(f"is {found.what}; it cannot be read", file=str(path), hint=found.hint)


def _undecided(path: Path, reader: str, by_name: str | None) -> UsageError:
    table: Reader = READERS.get(reader)
    names = f", with {named('header')} if its first line does not name the columns" if table.tabular else ""
    other = by_name or "text"
    return UsageError(
        f"{path} may hold a table or a text: give {named('format')} {reader}{names}, or {named('format')} {other}"
    )


def _unknown(path: Path, seen: Beginning) -> DataError:
    what = f"its suffix {path.suffix!r} does not name" if path.suffix else "its name does not end in the suffix of"
    if seen.members:
        return DataError(
            f"is an archive of {counted(len(seen.members), 'file')}: {listed(seen.members[:5])}",
            file=str(path),
            hint="unpack it, and give one of them or their folder",
        )
    hint = f"give {named('format')}, such as csv or text; the formats are {', '.join(READERS.names())}"
    pair = sorted(other.name for other in path.parent.glob(f"{glob.escape(path.stem)}.*") if path.suffix)
    if len(pair) == 2 and not any(reader_of(Path(name), suffixes()) for name in pair):
        both = ",".join(str(path.parent / name) for name in pair)
        hint = f"if the lines of {' and '.join(pair)} belong together, give {both}"
    return UnknownFormat(f"{what} a known format, and its content does not show one", file=str(path), hint=hint)
