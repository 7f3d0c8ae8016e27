"""Predictions for whole tables, in one thread with a short queue, so that no tick waits for them."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from unrolled.data.io.mapped import copied
from unrolled.data.readers.table import read_written
from unrolled.data.tables.in_memory import to_table
from unrolled.errors import UsageError
from unrolled.runs.trained import Trained
from unrolled.serving.guard import body_of
from unrolled.serving.messages import decoded, encoded
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions

__all__ = ["Predictor", "Table", "predict"]

_JSON, _CSV, _ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
_LINES = "application/x-ndjson"
_FORMS = (_JSON, _CSV, _ARROW, _LINES)
_PIECE = 1_000  # rows that are turned into Python's values before others get their turn
_UNPACKED = 1 << 28  # bytes of a table that came compressed
_HERE = "the request"

Found = TypeVar("Found")


class Predictor:
    """Runs what takes long, one after the other.

    Args:
        options: of the server.

    Attributes:
        waiting: what runs and waits.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._worker = ThreadPoolExecutor(1, "predict")
        self.waiting = 0

    async def run(self, work: Callable[[], Found]) -> Found:
        """The result of ``work``.

        Raises:
            Refused: too much waits already, or its turn did not come in time.
        """
        most, deadline = self._options.predict_waiting, time.monotonic() + self._options.predict_deadline
        if self.waiting >= most:
            raise Refused("Overloaded", f"{most} requests for predictions wait already: try again later")

        def in_time() -> Found:
            if time.monotonic() > deadline:
                waited = f"the request waited for more than {self._options.predict_deadline:g} seconds"
                raise Refused("Expired", waited)
            return work()

        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, in_time)
        finally:
            self.waiting -= 1

    def stop(self) -> None:
        """Begin nothing further."""
        self._worker.shutdown(wait=False, cancel_futures=True)


class Table(Struct, forbid_unknown_fields=True):
    """A table as JSON: its rows, each ``{column: value}``; or its columns."""

    rows: list[Raw] | UnsetType = UNSET
    columns: dict[str, list[Any]] | UnsetType = UNSET


_tables = msgspec.json.Decoder(Table)
_any = msgspec.json.Decoder()


async def predict(request: Request) -> Response:
    """``POST /v1/predict?model=NAME``: the table that was sent, with predictions as new columns.

    A table is JSON, ``{"rows": […]}`` or ``{"columns": {name: […]}}``; CSV; lines of JSON; or an Arrow stream. The
    answer has the form that ``Accept`` names, else that of the request.
    """
    service = request.app.state.service
    model = service.models.find(request.query_params.get("model"))
    form = _form(request.headers.get("content-type", _JSON), "Unsupported")
    wanted = request.headers.get("accept", "*/*")
    answer = form if "*" in wanted else _form(wanted, "NotAcceptable")
    options = service.options
    body = await body_of(request, options.predict_body, options.predict_deadline)

    def work() -> bytes:
        table, by_column = _read(body, form, model.trained)
        return _written(model.without_files.predict(table), answer, by_column)

    return Response(await service.predictor.run(work), HTTPStatus.OK, media_type=answer)


def _form(named: str, otherwise: str) -> str:
    """The first of our forms that a header names; ``otherwise`` is the kind of the refusal."""
    for one in named.split(","):
        if (form := one.partition(";")[0].strip().lower()) in _FORMS:
            return form
    raise Refused(otherwise, f"tables are {', '.join(_FORMS)}, not {named[:60]!r}")


def _read(body: bytes, form: str, trained: Trained) -> tuple[Any, bool]:
    """A table, or a list of texts; and whether it came as columns."""
    if form == _CSV:
        return read_written(copied(body), _HERE, trained.config.data, ".csv"), False
    if form == _LINES:
        return _joined([line for line in body.splitlines() if line]), False
    if form == _JSON:
        table = decoded(_tables, body)
        if (table.rows is UNSET) == (table.columns is UNSET):
            raise Refused("BadRequest", 'a table has either "rows" or "columns"')
        if table.rows is UNSET:
            return to_table(table.columns), True
        return _joined(table.rows), False
    try:
        with pa.ipc.open_stream(pa.BufferReader(copied(body))) as reader:
            read = pa.Table.from_batches(_bounded(reader), reader.schema)
        read.validate(full=True)  # reading does not check offsets, and a crafted one would end the process
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise Refused("BadRequest", f"this is not a valid Arrow stream: {str(error)[:200]}") from None
    return read, False


def _joined(raw: Sequence[bytes | Raw]) -> Any:
    """Rows of JSON as a table, made piece by piece, so that no other thread waits for all of them; texts as a list."""
    pieces: list[pa.Table] = []
    texts: list[str] = []
    for start in range(0, len(raw), _PIECE):
        rows = [decoded(_any, row) for row in raw[start : start + _PIECE]]
        if all(isinstance(row, str) for row in rows):
            texts += rows
        else:
            pieces.append(to_table(rows))
    if not pieces:
        return texts
    try:
        return pa.concat_tables([*pieces, *([to_table(texts)] if texts else [])], promote_options="permissive")
    except pa.ArrowException:
        return to_table([decoded(_any, row) for row in raw])  # which says what does not fit


def _bounded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, which may be compressed, as long as they are not too large."""
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > _UNPACKED:
            raise Refused("TooLarge", f"a table has at most {_UNPACKED:,} bytes, unpacked")
        yield batch


def _lines(table: pa.Table) -> Iterator[bytes]:
    return (encoded(row) for batch in table.to_batches(_PIECE) for row in batch.to_pylist())


def _written(table: pa.Table, form: str, by_column: bool) -> bytes:
    if form == _JSON:
        if by_column:
            return encoded({"columns": table.to_pydict()})
        return b'{"rows":[' + b",".join(_lines(table)) + b"]}"
    if form == _LINES:
        return b"\n".join([*_lines(table), b""])
    out = io.BytesIO()
    if form == _ARROW:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
        return out.getvalue()
    from pyarrow import csv

    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        raise UsageError(f"CSV has no lists, which the column {nested[0]!r} holds: ask for {_JSON} or {_ARROW}")
    csv.write_csv(table, out)
    return out.getvalue()
