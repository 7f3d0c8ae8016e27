"""Numbers as people write them: ``1.234,56 €``, ``$1,234``, ``12.3%``, ``(5)``, ``7-``, ``1 234``.

A text has two readings, one with a decimal point and one with a decimal comma. Many texts fit only one of them, and
most that fit both mean the same number in both; ``1,234`` fits both and does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "MISSING_WORDS",
    "SIGNS",
    "Sign",
    "Units",
    "ambiguous",
    "is_missing",
    "like_a_value",
    "number_in",
    "numbers",
    "oddly_signed",
    "readings",
    "units",
]

Sign = Literal[",", "."]
SIGNS: tuple[Sign, ...] = (".", ",")

MISSING_WORDS = (
    *("", "?", "-", "--", "---", ".", "..", "...", "n/a", "na", "n.a.", "n.a", "none", "null", "nil", "nan", "-nan"),
    *("#n/a", "#na", "#n/a n/a", "#null!", "#div/0!", "#ref!", "#value!", "#num!", "#name?"),
    *("\\n", "<na>", "(null)", "missing", "not available", "–", "—", "…"),
)

_BLANKS = (" ", "\u00a0", "\u2009", "\u202f", "'", "’", "_")  # divide groups of three digits, and are no decimal signs
_BLANK = f"[{''.join(_BLANKS)}]"
_GROUPS = {".": rf"(?:,|{_BLANK})", ",": rf"(?:\.|{_BLANK})"}
_EXPONENT = r"(?:[eE][-+]?[0-9]{1,3})?"
_MINUS = "[-\u2212\u2013]"
_SIGN = "[-+\u2212\u2013]"
_NO_CENTS = "[.,][-\u2013\u2014]{1,2}"  # as in 5.- and 5,–
_CODES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "RMB", "INR", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK"),
    *("HUF", "RON", "BRL", "MXN", "RUB", "KRW", "ZAR", "TRY", "SGD", "HKD", "ILS", "THB"),
    *("Euro", "Kč", "kr", "zł", "Ft"),
)
_SCALES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}
_MONEY = rf"(?:(?:US|R|A|C|NZ|HK|S)?\$|[€£¥₹₽₩₺₴₪฿₫₦¢]|(?:{'|'.join(_CODES)}|Fr|Rs)\.?)"


def _core(sign: Sign) -> str:
    point = re.escape(sign)
    groups = "|".join(f"(?:{divider}[0-9]{{3}})+" for divider in ("," if sign == "." else r"\.", *_BLANKS))
    indian = r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if sign == "." else ""
    whole = rf"(?:[1-9][0-9]{{0,2}}(?:{groups}){indian}|[0-9]+)"
    return rf"(?:{whole}(?:{_NO_CENTS}|{point}[0-9]*)?|{point}[0-9]+){_EXPONENT}"


def _whole(sign: Sign) -> str:
    gap = "[ \u00a0\u202f]*"
    return (
        rf"^\s*(?P<open>\()?{gap}(?P<before>{_SIGN})?{gap}(?P<money>{_MONEY})?{gap}(?P<inner>{_SIGN})?{gap}"
        rf"(?P<core>{_core(sign)})(?P<scale>[kKMB])?{gap}(?P<unit>%|{_MONEY})?{gap}(?P<behind>{_MINUS})?(?P<close>\))?\s*$"
    )


_PATTERNS: dict[Sign, str] = {".": _whole("."), ",": _whole(",")}
_COMPILED: dict[Sign, re.Pattern[str]] = {sign: re.compile(pattern) for sign, pattern in _PATTERNS.items()}
_DATED = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|[0-9]{1,2}:[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Units:
    """What stands beside the numbers of a column.

    Attributes:
        money: each currency once, in the order of appearance.
        percent: how many cells end in a percent sign.
        grouped: whether digits stand in groups, as in 1,234.
        scaled: whether letters say thousands, millions or billions, as in 4.5K.
    """

    money: tuple[str, ...]
    percent: int
    grouped: bool
    scaled: bool = False


def is_missing(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether each text is one of `MISSING_WORDS`, in any case and with blanks around it; null stays null."""
    return pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), pa.array(MISSING_WORDS, texts.type))


def like_a_value(cell: str) -> bool:
    """Whether a cell looks like a number, a date or a time, or stands for a missing value.

    >>> [like_a_value(cell) for cell in ("1.234,5 €", "2026-01-31", "?", "Rome")]
    [True, True, True, False]
    """
    return cell.lower() in MISSING_WORDS or any(p.match(cell) for p in _COMPILED.values()) or bool(_DATED.match(cell))


def readings(texts: pa.ChunkedArray, sign: Sign) -> pa.ChunkedArray:
    """Whether each text is a number with this decimal sign; null stays null."""
    return pc.match_substring_regex(texts, _PATTERNS[sign])


def ambiguous(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether each text, which fits both readings, is another number in each, as 1,234 is."""
    return pc.match_substring_regex(texts, r"[.,][0-9]{3}")


def units(texts: pa.ChunkedArray, sign: Sign) -> Units:
    """What stands beside the numbers in ``texts``, which all fit the reading ``sign``."""
    parts = pc.extract_regex(texts.drop_null(), _PATTERNS[sign])
    money = pc.unique(_part(parts, "money")).to_pylist() + pc.unique(_part(parts, "unit")).to_pylist()
    percent = pc.sum(pc.equal(_part(parts, "unit"), "%")).as_py() or 0
    grouped = pc.any(pc.match_substring_regex(_part(parts, "core"), rf"{_GROUPS[sign]}[0-9]{{3}}")).as_py()
    scaled = bool(pc.any(pc.not_equal(_part(parts, "scale"), "")).as_py())
    return Units(
        tuple(dict.fromkeys(one for one in money if one not in ("", "%"))), int(percent), bool(grouped), scaled
    )


def numbers(texts: pa.ChunkedArray, sign: Sign) -> pa.ChunkedArray:
    """The numbers in ``texts``, which all fit the reading ``sign``: whole ones as int64, others as float64.

    >>> numbers(pa.chunked_array([["1.234,56 €", "(7)", None]]), ",").to_pylist()
    [1234.56, -7.0, None]
    """
    parts = pc.extract_regex(texts, _PATTERNS[sign])
    negative = pc.or_(
        pc.equal(_part(parts, "open"), "("),
        pc.match_substring_regex(_joined(parts, "before", "inner", "behind"), _MINUS),
    )
    core = pc.replace_substring_regex(_part(parts, "core"), f"{_NO_CENTS}$", "")
    core = pc.replace_substring_regex(core, _GROUPS[sign], "")
    core = pc.replace_substring(core, sign, ".")
    plain = pc.binary_join_element_wise(pc.if_else(negative, "-", ""), core, "")
    letters = _part(parts, "scale")
    if pc.any(pc.not_equal(letters, "")).as_py():
        scales = pa.array(_SCALES.values()).take(pc.index_in(letters, pa.array(_SCALES.keys())).combine_chunks())
        return pc.round(pc.multiply(plain.cast(pa.float64()), pa.chunked_array([scales])), 6)
    if not pc.any(pc.match_substring_regex(plain, "[.eE]")).as_py():
        try:
            return plain.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return plain.cast(pa.float64())


def number_in(text: str, sign: Sign | None) -> float | None:
    """The number in one text; ``None`` if it is none, or another one in each reading and ``sign`` does not say which.

    Args:
        text: such as ``$1,234.50``.
        sign: the decimal sign of the data that a model was trained on, if it is known.

    Example:
        >>> number_in("10,5", None), number_in("(1,234.5)", None), number_in("1,234", None), number_in("1,234", ",")
        (10.5, -1234.5, None, 1.234)
    """
    found = {here: _value(match, here) for here, p in _COMPILED.items() if (match := p.match(text)) and _signed(match)}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    if sign == "," and "," not in text:
        return None  # 1.234 from a program that writes points is not 1234
    return found.get(sign) if sign and found else None


def _signed(match: re.Match[str]) -> bool:
    """Whether a number has at most one sign, and brackets on both sides or on neither."""
    signs = [match[name] for name in ("open", "before", "inner", "behind") if match[name]]
    return len(signs) <= 1 and bool(match["open"]) == bool(match["close"]) and not (match["money"] and match["unit"])


def oddly_signed(texts: pa.ChunkedArray, sign: Sign) -> bool:
    """Whether a text in ``texts`` has two signs, two units, or a bracket without its other half."""
    parts = pc.extract_regex(texts.drop_null(), _PATTERNS[sign])
    signs = pc.binary_length(_joined(parts, "open", "before", "inner", "behind"))
    lengths = [pc.utf8_length(_part(parts, name)) for name in ("open", "before", "inner", "behind")]
    many = pc.greater(pc.add(pc.add(lengths[0], lengths[1]), pc.add(lengths[2], lengths[3])), 1)
    lone = pc.not_equal(pc.utf8_length(_part(parts, "open")), pc.utf8_length(_part(parts, "close")))
    both = pc.and_(pc.not_equal(_part(parts, "money"), ""), pc.not_equal(_part(parts, "unit"), ""))
    return bool(len(signs)) and any(pc.any(odd).as_py() for odd in (many, lone, both))


def _value(match: re.Match[str], sign: Sign) -> float:
    core = re.sub(_GROUPS[sign], "", re.sub(f"{_NO_CENTS}$", "", match["core"])).replace(sign, ".")
    negative = match["open"] or any((match[name] or "+") != "+" for name in ("before", "inner", "behind"))
    number = round(float(core) * _SCALES[match["scale"].upper()], 6) if match["scale"] else float(core)
    return -number if negative else number


def _part(parts: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.struct_field(parts, name), "") if not parts.null_count else pc.struct_field(parts, name)


def _joined(parts: pa.ChunkedArray, *names: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(_part(parts, name) for name in names), "")
