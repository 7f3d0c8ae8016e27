"""The process that predicts for a server, one request after the other.

Reading a table and writing its answer hold the interpreter's lock, so that beside them in one process every session
would wait. The process begins at the first request, has a low priority, and ends with the server, however that ends.

A message is the length of its head in 4 bytes, the head as JSON, and a body of as many bytes as the head says.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import torch
from msgspec import Struct

from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained
from unrolled.serving import predict_files, predict_inside, predict_tables, predict_tensors
from unrolled.serving.messages import encoded
from unrolled.serving.refusals import known, status_of, told_at

__all__ = ["LENGTH", "Answered", "Asked", "head_of", "predict_for"]

LENGTH = 4  # bytes of the length of a head

_log = logging.getLogger("unrolled.serving")
_NICE = 10  # the sessions come first
_EXPENDABLE = b"500"  # of 1,000: where memory runs out, this process ends before the server
_NO_COLUMN = ("\0",)  # where columns are named that hold names of files, no other one is looked at
_WORKS = {
    "files": predict_files.answered,
    "inside": predict_inside.answered,
    "tables": predict_tables.answered,
    "tensors": predict_tensors.answered,
}


class Asked(Struct):
    """The head of a request.

    Attributes:
        work: what to do, a name in `_WORKS`.
        path: where the request came in, which decides how errors are written.
        media: the type of the answer.
        settings: what the work needs besides the model and the body.
        model: the fingerprint of the model.
        folder: its run, where it was not opened before.
        drop: fingerprints of models that are not served any more.
        size: bytes of the body.
    """

    work: str
    path: str
    media: str
    settings: dict[str, str]
    model: str
    folder: str | None
    drop: list[str]
    size: int


class Answered(Struct):
    """The head of an answer: its status and type in HTTP, and the bytes of its body."""

    status: int
    media: str
    size: int


_decoder = msgspec.json.Decoder(Asked)


def head_of(message: Asked | Answered) -> bytes:
    """A head with its length before it."""
    found = encoded(message)
    return len(found).to_bytes(LENGTH) + found


def predict_for(end: socket.socket) -> None:
    """Answer what comes from a socket, until its other end is closed."""
    models: dict[str, Trained] = {}
    with end, contextlib.suppress(EOFError, ConnectionError):
        while True:
            asked = _decoder.decode(_received(end, int.from_bytes(_received(end, LENGTH))))
            body = _received(end, asked.size)
            for fingerprint in asked.drop:
                del models[fingerprint]
            if asked.folder is not None:
                models[asked.model] = _without_files(open_run(Path(asked.folder)))
            status, media, answer = _answer(models[asked.model], asked, body)
            end.sendall(head_of(Answered(status, media, len(answer))))
            end.sendall(answer)


def _received(end: socket.socket, size: int) -> pa.Buffer:
    """So many bytes, in Arrow's own memory (see `unrolled.data.io.mapped`)."""
    found = pa.allocate_buffer(size)
    left = memoryview(found).cast("B")
    while left:
        if not (count := end.recv_into(left)):
            raise EOFError
        left = left[count:]
    return found


def _without_files(trained: Trained) -> Trained:
    """The model, which takes cells that look like the names of files for texts, and opens none."""
    data = trained.config.data.model_copy(update={"file_columns": _NO_COLUMN})
    return replace(trained, config=trained.config.model_copy(update={"data": data}))


def _answer(model: Trained, asked: Asked, body: pa.Buffer) -> tuple[HTTPStatus, str, bytes]:
    try:
        return HTTPStatus.OK, asked.media, _WORKS[asked.work](model, body, asked.settings)
    except Exception as raised:
        error = known(raised)
        if error is not raised:
            _log.exception("a prediction failed")
        return status_of(error), "application/json", encoded({"error": told_at(asked.path, error)})


def _end_with(other: socket.socket) -> None:
    """End when the server does, even in the middle of a prediction."""
    poll = select.poll()
    poll.register(other, 0)  # only that it hangs up
    poll.poll()
    os._exit(0)


def _main() -> Any:
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches this process too, but the server ends it
        signal.signal(number, signal.SIG_IGN)
    end = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with, args=(end,), daemon=True).start()
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_EXPENDABLE)
    torch.set_num_threads(1)
    predict_for(end)


if __name__ == "__main__":
    _main()
