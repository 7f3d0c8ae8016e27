"""True tables written in many dialects, to be read back: equal to the truth, or refused in a sentence.

A dialect is drawn from a random generator: separators, quotes, decimal signs, groups of thousands, currencies, words
for missing values, line ends, encodings, headers. Ways of writing that lose something are not drawn, such as a text
that holds the separator and has no quotes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

__all__ = ["Variant", "differs", "variant"]

WORDS = [
    "the",
    "house",
    "of",
    "cards",
    "was",
    "Good",
    "bad",
    "und",
    "Straße",
    "naïve",
    "東京",
    "x1",
    "rain,",
    "sun;",
    "wind|",
    "tab\there",
]
NAMES = ("none", "NaN", "2019", "a b", "x,1", "day/night", "Größe")  # of columns, beside those of one letter or word
DATES = ("{0}-{1:02}-{2:02}", "{0}-{1:02}-{2:02}", "{0}-{1:02}-{2:02} 10:{2:02}:00", "{2:02}.{1:02}.{0}", "{1}/{2}/{0}")
MISSING = ("", "NA", "?", "-", "n/a", "NULL", "nan", "None", "#N/A", "\\N", "<NA>", ".")
Cell = str | int | float | None  # what a cell says


@dataclass
class Variant:
    """A file and what it says.

    Attributes:
        data: the bytes.
        suffix: of its name.
        truth: column -> values; ``None`` is missing.
        kinds: column -> what it holds: whole, real, date, label, text or code.
        options: what the user says about it.
        told: how it was written, for messages.
    """

    data: bytes
    suffix: str
    truth: dict[str, list[Cell]]
    kinds: dict[str, str]
    options: dict[str, object] = field(default_factory=dict)
    told: str = ""


@dataclass(frozen=True)
class _Way:
    separator: str
    quote: str
    decimal: str
    group: str
    money: str
    percent: bool
    negative: str
    missing: str
    line: str
    quoting: str
    date: str
    padding: str


def variant(seed: int) -> Variant:
    """The variant with this number."""
    dice = random.Random(seed)
    rows = dice.choice((3, 8, 30, 90))
    kinds = {"n": "whole", "x": "real", "y": "real", "day": "date", "who": "label", "said": "text", "zip": "code"}
    names = dice.sample(sorted(kinds), dice.randint(2, len(kinds)))
    way = _way(dice)
    truth = {name: _column(kinds[name], rows, way, dice) for name in names}
    columns = {name: [_spelled(value, kinds[name], way) for value in values] for name, values in truth.items()}
    header = [name.upper() if dice.random() < 0.1 else name for name in names]
    if dice.random() < 0.2:
        header[dice.randrange(len(header))] = dice.choice(NAMES)
    truth = dict(zip(header, truth.values(), strict=True))
    body = [list(row) for row in zip(*columns.values(), strict=True)]
    text, options = _written(header, body, way, dice)
    encoding = dice.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"))
    if encoding == "cp1252":
        try:
            text.encode("cp1252")
            options["text_encoding"] = "cp1252"
        except UnicodeEncodeError:
            encoding = "utf-8"
    suffix = dice.choice((".csv", ".csv", ".csv", ".tsv", ".txt"))
    told = f"{way}, {encoding}, {suffix}, {options}"
    kept = dict(zip(header, (kinds[name] for name in names), strict=True))
    return Variant(text.encode(encoding), suffix, truth, kept, options, told)


def differs(variant: Variant, found: dict[str, list[Cell]]) -> str:
    """What a table that was read says otherwise than the truth; empty if nothing."""
    if [*found][: len(variant.truth)] != [*variant.truth]:
        return f"columns {[*found]}, truly {[*variant.truth]}"
    for name, truth in variant.truth.items():
        values = found[name]
        if len(values) != len(truth):
            return f"{name}: {len(values)} rows, truly {len(truth)}"
        for row, (value, true) in enumerate(zip(values, truth, strict=True), 1):
            if not _same(value, true):
                return f"{name}, row {row}: {value!r}, truly {true!r}"
    return ""


def _same(value: Cell, true: Cell) -> bool:
    if isinstance(true, float | int):
        return isinstance(value, float | int) and abs(value - true) <= 1e-9 * max(1.0, abs(true))
    if true is not None and not isinstance(value, str | None):
        value = str(value)[: len(str(true))]  # a date
    return value == true


def _column(kind: str, rows: int, way: _Way, dice: random.Random) -> list[Cell]:
    values: list[Cell]
    if kind == "whole":
        most = dice.choice((9, 150, 5_000, 2_000_000))
        values = [dice.randint(-most if dice.random() < 0.3 else 0, most) for _ in range(rows)]
    elif kind == "real":
        top, digits = dice.choice((1.0, 40.0, 9_000.0, 3e6)), dice.choice((1, 2, 3, 4))
        if digits == 3 and way.separator == way.decimal:
            digits = 2  # "1,234" in a file that is divided by commas is taken for 1234, and said
        low = -top if dice.random() < 0.3 else 0.0
        values = [round(dice.uniform(low, top), digits) for _ in range(rows)]
    elif kind == "date":
        days = [(dice.randint(2010, 2029), dice.randint(1, 12), dice.randint(1, 28)) for _ in range(rows)]
        values = [way.date.format(*day) for day in days]
    elif kind == "label":
        values = [dice.choice(("pos", "neg", "so so")) for _ in range(rows)]
    elif kind == "code":
        values = [f"{dice.randint(0, 9999):04}" for _ in range(rows)]
        values[0] = "0042"
    else:
        values = [_text(dice) for _ in range(rows)]
    if kind != "text" and kind != "label" and kind != "code" and dice.random() < 0.3:
        last = values[-1]  # a last row without any value is left out, and said
        values = [*(None if dice.random() < 0.15 else value for value in values[:-1]), last]
    return values


def _text(dice: random.Random) -> str:
    text = " ".join(dice.choice(WORDS) for _ in range(dice.randint(2, 7)))
    if dice.random() < 0.15:
        text = text.replace(" ", ' "', 1) + '"'
    if dice.random() < 0.1:
        text = text.replace(" ", "\n", 1)
    return f"w {text}" if dice.random() < 0.9 else f'"{text}" he said'


def _way(dice: random.Random) -> _Way:
    separator = dice.choice((",", ",", ";", ";", "\t", "|", "::"))
    decimal = dice.choice((".", ",")) if separator != "," else dice.choice((".", ".", ","))
    groups = {".": ("", "", ",", " ", "\u00a0", "'"), ",": ("", "", ".", "\u202f", " ")}[decimal]
    quote, group = dice.choice(('"', '"', '"', "'")), dice.choice(groups)
    if group in (quote, separator) or (decimal == separator and group == "."):
        group = ""  # no program writes such numbers
    return _Way(
        separator,
        quote,
        decimal,
        group,
        dice.choice(("", "", "", "$", " €", "EUR ", "£")),
        dice.random() < 0.1,
        dice.choice(("-5", "-5", "5-", "(5)", "−5")),
        dice.choice(MISSING),
        dice.choice(("\n", "\n", "\r\n", "\r")),
        dice.choice(("needed", "needed", "all", "texts")),
        dice.choice(DATES),
        " " if separator in ",;|" and dice.random() < 0.05 else "",
    )


def _spelled(value: Cell, kind: str, way: _Way) -> str:
    if value is None:
        return way.missing
    if kind in ("date", "label", "text", "code"):
        return str(value)
    size = abs(value)  # type: ignore[arg-type]
    whole, point, rest = (str(size) if isinstance(size, int) else f"{size:.10f}".rstrip("0")).partition(".")
    if way.group and len(whole) > 3:
        start = len(whole) % 3 or 3
        whole = way.group.join([whole[:start], *(whole[at : at + 3] for at in range(start, len(whole), 3))])
    text = whole + (way.decimal + (rest or "0") if point else "")
    if kind == "real" and way.money:
        text = text + way.money if way.money.startswith(" ") else way.money + text
    elif kind == "real" and way.percent:
        text += "%"
    return way.negative.replace("5", text) if value < 0 else text  # type: ignore[operator]


def _cell(text: str, way: _Way) -> str:
    risky = any(sign in text for sign in (way.separator, way.quote, "\n", "\r")) or text != text.strip()
    if way.quoting == "all" or risky or (way.quoting == "texts" and text[:1].isalpha()):
        return way.quote + text.replace(way.quote, way.quote * 2) + way.quote
    return text


def _written(header: list[str], body: list[list[str]], way: _Way, dice: random.Random) -> tuple[str, dict[str, object]]:
    options: dict[str, object] = {}
    trailing = dice.random() < 0.08
    rows = [header, *body]
    if dice.random() < 0.08:
        rows[0] = [*header, ""] if trailing and dice.random() < 0.5 else header
    names = dice.random() < 0.1
    written = body if names else rows
    lines = []
    for index, row in enumerate(written):
        more = trailing and not (index == 0 and not names and len(rows[0]) > len(header))
        lines.append(
            (way.separator + way.padding).join(_cell(cell, way) for cell in ([*row, ""] if more else row)) + way.line
        )
    text = "".join(lines)
    if names:
        options["header"] = tuple([*header, "last"] if trailing else header)
    if dice.random() < 0.08:
        text = "".join(f"# made by a program{way.line}" for _ in range(dice.randint(1, 3))) + text
    elif dice.random() < 0.08 and not names:
        text = f"sep={way.separator}{way.line}" + text
    elif dice.random() < 0.08:
        count = dice.randint(1, 3)
        text = f"Report, of the year{way.line}" * count + text
        options["skip"] = str(count)
    if dice.random() < 0.1:
        text += way.line * 2
    if way.quote == "'" and dice.random() < 0.5:
        options["quote"] = "'"
    if dice.random() < 0.2:
        options["separator"] = way.separator
    if dice.random() < 0.2:
        options["decimal"] = way.decimal
    return text, options
