"""The forms in which people write dates, as regular expressions whose groups are named after what they hold."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FOREIGN", "FORMS", "MONTHS", "Form"]

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_YEAR, _MONTH, _DAY = r"(?P<year>[12]\d{3})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_ANY_YEAR = r"(?P<year>[12]\d{3}|'?\d{2})"
_NAME = (
    r"(?P<name>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
_DAY_NAME = r"(?:(?i:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?i:day)?\.?,? +)?"
_NTH = r"(?:st|nd|rd|th)?"
_CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
_HALF = r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
_ZONE = (
    r"(?: ?(?P<zone>[Zz]|(?:UTC|GMT|UT)?[-+]\d{1,2}(?::?\d{2})?|[A-Z]{2,5}|[A-Z][A-Za-z]+/[A-Za-z_/+-]+)"
    r"(?: ?\([^)]*\)| ?\[[^\]]*\])?)?"
)
_TIME = rf"(?:(?:T| +| at |, *|:){_CLOCK}{_HALF}{_ZONE})?"
_TIGHT = r"(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<zone>[Zz])?"
_SIGNS = ("-", "/", r"\.")


class Form(NamedTuple):
    """One form of a date.

    Attributes:
        say: the form, for the user.
        pattern: matches the whole text. Its groups are some of year, month, name, day, quarter, week, weekday, hour,
            minute, second, fraction, half and zone; or ``a``, ``b`` and ``c``, whose order is not known.
        sure: the text is only taken for a date where something else says so, such as the name of its column.
    """

    say: str
    pattern: str
    sure: bool = False


def _day(say: str, date: str, sure: bool = False) -> Form:
    return Form(say, rf"^{_DAY_NAME}{date}{_TIME}$", sure)


FORMS: tuple[Form, ...] = (
    *(_day(f"YYYY{s[-1]}MM{s[-1]}DD", f"{_YEAR}{s}{_MONTH}{s}{_DAY}") for s in _SIGNS),
    *(_day(f"{s[-1]}".join("__Y"), rf"(?P<a>\d{{1,2}}){s}(?P<b>\d{{1,2}}){s}(?P<c>[12]\d{{3}})") for s in _SIGNS),
    *(_day(f"{s[-1]}".join("___"), rf"(?P<a>\d{{1,2}}){s}(?P<b>\d{{1,2}}){s}(?P<c>\d{{2}})", True) for s in _SIGNS),
    _day("day, month, year", rf"{_DAY}{_NTH}[ ./-]*{_NAME}[ ,./-]*{_ANY_YEAR}"),
    _day("month, day, year", rf"{_NAME}[ .-]*{_DAY}{_NTH}(?:, *| +|-){_YEAR}"),
    _day("year, month, day", rf"{_YEAR}[ ./-]?{_NAME}[ ./-]?{_DAY}"),
    Form("month, day, time, year", rf"^{_DAY_NAME}{_NAME} +{_DAY} +{_CLOCK}{_HALF}{_ZONE} +{_YEAR}$"),
    Form("YYYYMMDDThhmm", rf"^{_YEAR}(?P<month>\d\d)(?P<day>\d\d)[T ]{_TIGHT}$"),
    Form("YYYYMMDD", rf"^{_YEAR}(?P<month>\d\d)(?P<day>\d\d){_TIME}$", True),
    Form("YYYYMMDDhhmm", rf"^{_YEAR}(?P<month>\d\d)(?P<day>\d\d){_TIGHT}$", True),
    Form("YYYY-MM", rf"^{_YEAR}-{_MONTH}$"),
    Form("YYYY/MM", rf"^{_YEAR}/{_MONTH}$", True),
    Form("MM/YYYY", rf"^{_MONTH}[/.-]{_YEAR}$"),
    Form("YYYYMmm", rf"^{_YEAR}[Mm]{_MONTH}$"),
    Form("year, month", rf"^{_YEAR}[ ./-]*{_NAME}$"),
    Form("month, year", rf"^{_NAME}[ ,./-]*{_YEAR}$"),
    Form("month, year", rf"^{_NAME}[-']{_ANY_YEAR}$", True),
    Form("YYYYQq", rf"^{_YEAR}[ -]?[Qq](?P<quarter>[1-4])$"),
    Form("Qq YYYY", rf"^[Qq](?P<quarter>[1-4])[ /-]?{_YEAR}$"),
    Form("qQYYYY", rf"^(?P<quarter>[1-4])[Qq][ /-]?{_YEAR}$"),
    Form("YYYY-Www", rf"^{_YEAR}-?[Ww](?P<week>\d{{1,2}})(?:-?(?P<weekday>[1-7]))?$"),
    Form("YYYY", rf"^{_YEAR}$", True),
)

FOREIGN = r"^(?:\d{1,2}[. -]*([^\W\d_]{3,})[. -]*[12]\d{3}|([^\W\d_]{3,})[. -]*[12]\d{3})(?:[ ,T]+\d{1,2}:.*)?$"
"""A day or none, a word and a year: a date whose month is not named in English."""
