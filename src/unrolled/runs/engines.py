"""A trained model for the engines of others, which send it to their workers and call it with tables."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from unrolled.data.examples.example_rows import example_rows
from unrolled.errors import UsageError
from unrolled.runs.layouts import data_of
from unrolled.runs.opening import open_run
from unrolled.runs.streamed import concrete, predicted
from unrolled.runs.trained import Trained

__all__ = ["Predictor"]


class Predictor:
    """Predictions for Arrow tables, for Ray Data, Spark, Dask and other engines.

    What an engine sends to its workers is the path of the run and the options; each process loads the model at its
    first call. So all workers must see the run directory under the same path.

    Where a model reads sequences whose steps are rows (``by``), each table must hold whole sequences.

    Args:
        run: a run directory.
        beam, fitted, device: as for `Trained.predict`.
        threads: of torch in each process; engines start a process for each core. 0 leaves them as they are.

    Example:
        >>> Predictor("runs/reviews", beam=2).options
        {'beam': 2, 'fitted': False, 'device': 'auto', 'threads': 1}
    """

    def __init__(
        self,
        run: str | Path,
        *,
        beam: int | None = None,
        fitted: bool = False,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        self.run = str(Path(run).absolute())
        self.options: dict[str, Any] = {"beam": beam, "fitted": fitted, "device": device, "threads": threads}
        self._lock = threading.Lock()
        self._loaded: Trained | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.run, self.options)

    def __repr__(self) -> str:
        return f"Predictor({self.run!r})"

    def __call__(self, table: pa.Table | pa.RecordBatch) -> pa.Table:
        """``table`` with the predictions as new columns (see `Trained.predict`); of the same types for every table.

        Raises:
            DataError, UsageError, ModelError: as for `Trained.predict` and ``load``.
        """
        whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
        if not whole.num_rows:
            return self.schema(whole.schema).empty_table()
        trained, asked = self._trained(), {name: self.options[name] for name in ("beam", "fitted", "device")}
        return pa.concat_tables(predicted(trained, whole, **asked))

    def schema(self, like: pa.Schema | pa.Table | pa.RecordBatch) -> pa.Schema:
        """The columns of the answers to tables like this one, for engines that ask before they call.

        Args:
            like: a table, or only its columns where rows are not steps and no column holds recordings or pictures.

        Raises:
            UsageError: there are only columns, and no rows of them can be made up.
        """
        if not isinstance(like, pa.Schema):
            return self(like).schema if like.num_rows else self.schema(like.schema)
        trained = self._trained()
        config, rows = trained.config.data, example_rows(trained.task.coder)
        if rows is None or config.by or config.order or config.fields or self.options["fitted"]:
            raise UsageError("the columns of the answers depend on the rows here: give a table with some rows")
        answers = trained.predict(pa.Table.from_pylist(rows), beam=self.options["beam"])
        known = data_of(answers)
        return concrete(pa.schema([*like, *(field for field in answers.schema if field.name not in known)]))

    def _trained(self) -> Trained:
        with self._lock:
            if self._loaded is None:
                if self.options["threads"]:
                    torch.set_num_threads(self.options["threads"])
                self._loaded = open_run(Path(self.run))
            return self._loaded


def _made(run: str, options: dict[str, Any]) -> Predictor:
    return Predictor(run, **options)
