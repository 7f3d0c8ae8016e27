"""The first reading of a text table: Arrow reads it while its quotes and its zeros are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.readers._csv_file import CsvFile
from unrolled.data.readers._layout import Layout, settle_quotes
from unrolled.data.readers._quotes import quotes_fit
from unrolled.data.readers._zeros import has_leading_zeros
from unrolled.errors import DataError

__all__ = ["FirstRead", "first_read"]


@dataclass(frozen=True, slots=True)
class FirstRead:
    """A text table as Arrow reads it.

    Attributes:
        file: the table, with the quotes that fit.
        table: its columns, named by number.
        zeros: says whether any cell is a whole number with a 0 before another digit.
    """

    file: CsvFile
    table: pa.Table
    zeros: Callable[[], bool]


def first_read(
    layout: Layout, origin: str, config: DataConfig, missing: tuple[str, ...], texts: Sequence[int]
) -> FirstRead:
    """Read all columns.

    Most files have quotes that fit, so Arrow does not wait for the look at them.

    Args:
        layout: the layout; its quotes are not looked at yet.
        origin: how errors name the data.
        config: what the user says about quotes.
        missing: cells that are missing values in every column.
        texts: columns that are kept as texts.

    Raises:
        DataError: a quote does not divide cells, or as in `CsvFile.read`.
    """
    dialect, file = layout.dialect, CsvFile(layout, origin, missing)
    whole = any(cell.isdecimal() for row in layout.sample for cell in row)
    failure: DataError | None = None
    table: pa.Table | None = None
    with ThreadPoolExecutor(2) as pool:
        fits = None if dialect.quote is None else pool.submit(quotes_fit, layout.data, dialect)
        found = pool.submit(has_leading_zeros, layout.data, dialect.sign, dialect.quote) if whole else None
        try:
            table = file.read(texts=texts)
        except DataError as error:
            failure = error
    if fits is not None and not fits.result():
        settled = settle_quotes(layout, origin, config)
        if settled.dialect != dialect:
            file, failure = CsvFile(settled, origin, missing), None
            table = file.read(texts=texts)
    if failure is not None or table is None:
        raise failure or AssertionError("a table is read, or there is a failure")

    def zeros() -> bool:
        return has_leading_zeros(layout.data, dialect.sign, dialect.quote) if found is None else found.result()

    return FirstRead(file, table, zeros)
