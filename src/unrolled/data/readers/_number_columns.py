"""Columns of texts that are numbers written otherwise, or values among words for missing ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from unrolled.data.encodings._cells import Fail
from unrolled.data.io.elapsed import counted_up
from unrolled.data.io.number_forms import (
    SIGNS,
    Sign,
    ambiguous,
    is_missing,
    numbers,
    oddly_signed,
    readings,
    units,
)
from unrolled.data.io.stray_cells import NUMBER, PLAIN_NUMBER, check_mixed, form_of
from unrolled.errors import named

__all__ = ["Written", "arrow_values", "examined", "settled_sign", "spelled"]

_GROUPED = 3  # so many numbers in groups beside small ones without show that the sign divides thousands
_SAMPLE = 200  # cells looked at, at the start, in the middle and at the end
_CODE = r"^\s*[-+]?0[0-9]+\s*$"
_HUGE = r"[0-9]{17}"
_ADDRESS = r"^(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])){3}$"
_MARKED = rf"^\s*{NUMBER} ?[A-Za-z*†]{{1,3}}\s*$"


@dataclass(frozen=True, slots=True)
class Written:
    """What the texts of one column are.

    Attributes:
        texts: the column; words for missing values are null where the others are values.
        form: ``numbers``; ``values``, such as dates, which Arrow reads once the words are missing; or ``text``.
        signs: the decimal signs with which all texts are numbers.
        differ: some text is another number with each of them.
        missing: words for missing values, as written -> how often each occurs.
    """

    texts: pa.ChunkedArray
    form: str = "text"
    signs: tuple[Sign, ...] = ()
    differ: bool = False
    missing: Mapping[str, int] | None = None


def examined(texts: pa.ChunkedArray, name: str, fail: Fail, *, declared: bool, first: str) -> Written:
    """What ``texts`` are.

    Args:
        texts: cells without blanks around them.
        name: of the column.
        fail: makes the error, from a row (from 0), a message and a hint.
        declared: the user, or a trained model, takes the column for numbers.
        first: what to do where the first cell is not one.

    Raises:
        DataError: nearly all texts are numbers or dates and some are not, or, if ``declared``, any is not.
    """
    cells = len(texts) - texts.null_count
    if not cells or not (declared or _likely(texts)):
        return Written(texts)
    words = pc.fill_null(is_missing(texts), False)
    values = pc.if_else(words, pa.scalar(None, texts.type), texts)
    counts = _counts(texts.filter(words))
    if values.null_count == len(values):
        return Written(values, "numbers", (".", ","), missing=counts)
    signs = tuple(sign for sign in SIGNS if _all(readings(values, sign)) and not oddly_signed(values, sign))
    if signs and (declared or not (_coded(values) or _whole_with_letters(values))):
        return Written(values, "numbers", signs, len(signs) > 1 and _any(ambiguous(values)), counts)
    if signs:
        return Written(texts)
    if declared and counted_up(texts) is not None:
        return Written(texts)
    if declared:
        row = int(np.argmin(_either(values)))
        hint = f"correct it, leave the cell empty, or give {named('kinds')} another kind"
        raise fail(row, f"{values[row].as_py()[:40]!r} is not a number", hint)
    _refuse_marks(values, name, fail)
    check_mixed(
        values, lambda row, message: fail(row, message, _remedy(name, "" if row else first)), numeric=_either(values)
    )
    return Written(values, "values", missing=counts) if form_of(values) else Written(texts)


def settled_sign(column: Written, told: Sign | None, evidence: set[Sign], separator: str) -> Sign | None:
    """The decimal sign of a column of numbers; ``None`` if neither the column nor the file shows it.

    Args:
        column: a column of numbers.
        told: what the user says.
        evidence: the signs that other columns of the file show.
        separator: of cells; a file that is divided by commas writes no commas in numbers but between thousands.
    """
    if len(column.signs) == 1 or not column.differ:
        return column.signs[0]
    if told:
        return told
    if len(evidence) == 1:
        return next(iter(evidence))
    if evidence:
        return None
    if _any(pc.match_substring(column.texts, ",")):
        return "." if separator == "," or _small_beside_groups(column.texts) else None
    if separator == ";" or units(column.texts, ".").money:
        return None
    return "."


def _small_beside_groups(texts: pa.ChunkedArray) -> bool:
    """Whether several numbers have three digits behind a sign, and those without a sign are all below 1000."""
    bare = pc.fill_null(pc.match_substring_regex(texts, r"^[^0-9]*[0-9]+[^0-9]*$"), False)
    small = pc.fill_null(pc.match_substring_regex(texts, r"^[^0-9]*[0-9]{1,3}[^0-9]*$"), False)
    grouped = len(texts) - texts.null_count - pc.sum(bare).as_py()
    return _any(bare) and pc.equal(pc.sum(bare), pc.sum(small)).as_py() and grouped >= _GROUPED


def arrow_values(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """``texts`` as Arrow reads the cells of a file: dates, times, booleans, or else the same texts."""
    cells = pc.fill_null(texts.cast(pa.large_string()).combine_chunks(), "")
    lines = pc.binary_join_element_wise(cells, *(pa.scalar(sign, pa.large_string()) for sign in ("\n", "")))
    read = pa.csv.ReadOptions(column_names=["0"])
    parse = pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False)
    found = pa.csv.read_csv(pa.BufferReader(lines.buffers()[2]), read, parse).column(0)
    return texts if pa.types.is_string(found.type) or len(found) != len(texts) else found


def spelled(column: Written, sign: Sign, fail: Fail) -> tuple[pa.ChunkedArray, list[str]]:
    """The numbers of a column, and how they are written, as phrases to follow "is".

    Raises:
        DataError: the numbers have several currencies, or some are percentages and others are not.
    """
    beside = units(column.texts, sign)
    if len(beside.money) > 1:
        row = _first(column.texts, beside.money[1])
        raise fail(row, f"is in {beside.money[1]}, but others are in {beside.money[0]}", "use one currency in a column")
    cells = len(column.texts) - column.texts.null_count
    if beside.percent:
        bare = pc.fill_null(pc.invert(pc.match_substring_regex(column.texts, r"%|^[-+0., ]*$")), False)
        row = pc.index(bare, True).as_py()
        if row >= 0:
            text = column.texts[row].as_py()
            raise fail(
                row, f"{text[:40]!r} has no %, but {beside.percent} of {cells} cells have", "write all in one way"
            )
    how = []
    if sign == "," and _any(pc.match_substring(column.texts, ",")):
        how.append("read with a decimal comma")
    if beside.grouped:
        how.append("read with thousands in groups, so that " + _example(column.texts, sign))
    if beside.scaled:
        how.append("read with K for thousands, M for millions and B for billions")
    if beside.money:
        how.append(f"read without {beside.money[0]}")
    if beside.percent:
        how.append("read in percent, so that 50% is 50")
    if _any(pc.match_substring(column.texts, "(")):
        how.append("read with (1) as -1")
    return numbers(column.texts, sign), how


def _likely(texts: pa.ChunkedArray) -> bool:
    """Whether half of a sample are values, or words for missing ones."""
    middle, end = len(texts) // 2, max(0, len(texts) - _SAMPLE)
    pieces = [texts.slice(start, _SAMPLE).drop_null() for start in {0, middle, end}]
    sample = pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks], texts.type)
    if not len(sample):
        return True
    words = is_missing(sample)
    rest = sample.filter(pc.invert(words))
    return not len(rest) or bool(np.count_nonzero(_either(rest)) >= len(rest) / 2) or form_of(rest, share=0.5)


def _remedy(name: str, first: str) -> str:
    kinds = f"correct it, leave the cell empty, or give {named('kinds')} {name}=category"
    return f"{first}; {kinds}" if first else kinds


def _either(texts: pa.ChunkedArray) -> np.ndarray:
    """(rows,) bool: whether each text is a number in some reading; missing ones count as one."""
    fits = pc.or_(pc.or_(readings(texts, "."), readings(texts, ",")), pc.match_substring_regex(texts, PLAIN_NUMBER))
    return pc.fill_null(fits, True).to_numpy(zero_copy_only=False)


def _refuse_marks(texts: pa.ChunkedArray, name: str, fail: Fail) -> None:
    """Refuse numbers of which some have letters behind them, as statistics mark what is provisional."""
    marked = pc.fill_null(pc.match_substring_regex(texts, _MARKED), False).to_numpy(zero_copy_only=False)
    plain = _either(texts) & ~marked
    if not marked.any() or not (marked | plain).all() or not _any(pc.match_substring_regex(texts, r"[0-9]\.[0-9]")):
        return
    if 2 * int(plain.sum()) >= len(texts):
        row = int(np.argmax(marked))
        hint = f"write the letters in their own column, or give {named('kinds')} {name}=category"
        count = f"{int(marked.sum())} of the {len(texts)} cells are like that, and the others are numbers"
        raise fail(row, f"{texts[row].as_py()[:40]!r} is a number with letters; {count}", hint)


def _coded(texts: pa.ChunkedArray) -> bool:
    """Whether some numbers are codes: 007, or too long to be exact; or all are addresses such as 10.0.0.1."""
    if _all(pc.match_substring_regex(texts, _ADDRESS)):
        return True
    return _any(pc.match_substring_regex(texts, _CODE)) or _any(pc.match_substring_regex(texts, _HUGE))


def _whole_with_letters(texts: pa.ChunkedArray) -> bool:
    """Whether texts such as 12B have letters and no decimals: they may be names of flats."""
    return _any(pc.match_substring_regex(texts, "[0-9][kKMB]")) and not _any(
        pc.match_substring_regex(texts, "[.,][0-9]+[kKMB]")
    )


def _counts(words: pa.ChunkedArray) -> dict[str, int]:
    return dict(Counter(word.strip() for word in words.to_pylist() if word is not None).most_common())


def _example(texts: pa.ChunkedArray, sign: Sign) -> str:
    grouped = texts.filter(pc.fill_null(pc.match_substring_regex(texts, "[0-9][^0-9][0-9]{3}"), False))
    number = numbers(grouped.slice(0, 1), sign)[0].as_py()
    return f"{grouped[0].as_py()} is {number:.15g}"


def _first(texts: pa.ChunkedArray, part: str) -> int:
    return int(pc.index(pc.fill_null(pc.match_substring(texts, part), False), True).as_py())


def _all(flags: pa.ChunkedArray) -> bool:
    return bool(pc.all(flags).as_py())


def _any(flags: pa.ChunkedArray) -> bool:
    return bool(pc.any(flags).as_py())
