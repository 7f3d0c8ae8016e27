"""The process: it loads the models, listens, and ends without losing or repeating an answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
import uvicorn
from starlette.applications import Starlette

from unrolled.errors import UsageError, counted, named
from unrolled.runs.trained import Trained
from unrolled.serving.app import app
from unrolled.serving.connections import protocol
from unrolled.serving.direct import Link
from unrolled.serving.folder_store import FolderStore
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.service import Service
from unrolled.serving.sockets import close_all
from unrolled.serving.store import Store
from unrolled.serving.valkey_store import ValkeyStore

__all__ = ["Server", "run", "tokens_of"]

_log = logging.getLogger("unrolled.serving")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PAUSE = 0.01  # seconds between two looks at whether all answers are sent
_SENDING = 0.25  # share of the time to end for the answers that are on their way
_TURN = (
    1e-3  # seconds: how long the loop waits for a thread that computes, each time that it needs the interpreter again
)
# Thresholds of the collector, which looks at so many young objects at once: 5,000 take it 2 ms. 50,000 took it 23 ms,
# three times a second beside bad clients; with Python's own, 1,000 connections had its pauses as most of their p99.
_COLLECT = (5_000, 50, 50)


class Server(uvicorn.Server):
    """A server that ends in order: the steps that are under way are answered, the sessions saved, the clients told.

    Args:
        application: see `app`.
        options: where it listens, and how long it may take to end.
        started: is called with the port when it listens.
    """

    def __init__(
        self, application: Starlette, options: ServeOptions, started: Callable[[int], None] = lambda _: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                host=options.host,
                port=options.port,
                loop="unrolled.serving.event_loop:new_event_loop",
                http=protocol(options.handshake),
                ws=Link,
                log_config=None,
                log_level="error",  # what clients do wrong must not fill the log
                access_log=False,
                server_header=False,
                proxy_headers=bool(options.proxy_from),
                forwarded_allow_ips=list(options.proxy_from),
                ws_max_size=options.frame,
                ws_ping_interval=options.ping,
                ws_ping_timeout=options.pong,
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=max(1, round(options.drain)),
                backlog=16_384,
            )
        )
        self._service: Service = application.state.service
        self._drain_seconds, self._when_started = options.drain, started
        self.signal: int | None = None
        self._draining: asyncio.Task[None] | None = None
        self._reloading: asyncio.Task[dict[str, str]] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield

    def handle(self, number: int) -> None:
        """End in order; at the second signal at once."""
        if self.signal is None:
            self.signal = number
            self._draining = asyncio.create_task(self._drain())
        else:
            self.force_exit = self.should_exit = True

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Begin to listen, and to heed signals."""
        await super().startup(sockets)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread, where no signal arrives
                loop.add_signal_handler(number, self.handle, number)
                loop.add_signal_handler(signal.SIGHUP, self._reload)
        if self.started:
            self._when_started(self.servers[0].sockets[0].getsockname()[1])

    def _reload(self) -> None:
        self._reloading = asyncio.create_task(self._service.reload())

    async def _drain(self) -> None:
        service = self._service
        sent, end = (time.monotonic() + self._drain_seconds * share for share in (_SENDING, 1))
        try:
            async with asyncio.timeout(self._drain_seconds):
                await service.stop()
                while service.busy and time.monotonic() < sent:  # whoever does not read must not keep the others
                    await asyncio.sleep(_PAUSE)
                saved = await service.sessions.save_all() if service.store.durable else 0
                await close_all(service, self._drain_seconds * _SENDING)
                await service.store.close()
                if service.store.durable:
                    _log.info("%s saved", counted(saved, "session"))
        except TimeoutError:
            _log.warning("not every session could be saved within %g seconds", self._drain_seconds)
        finally:
            await service.predictor.stop(end - time.monotonic())  # the predictions that are under way come last
            self.should_exit = True


def run(
    models: Mapping[str, Trained],
    options: ServeOptions,
    started: Callable[[int], None] = lambda _: None,
) -> int:
    """Serve until a signal; the exit code, 128 + the signal.

    Args:
        models: name -> model, the default one first.
        options: all of them.
        started: is called with the port when the server listens.

    Raises:
        UsageError: it may not listen there without a token, or cannot; or the store cannot be used.
        SpaceError: the store cannot be written to.
    """
    tokens = tokens_of(options)
    server = Server(app(models, options, tokens=tokens, store=_store_of(options)), options, started)
    torch.set_num_threads(1)  # one step is too little work for two
    sys.setswitchinterval(_TURN)
    gc.collect()
    gc.freeze()  # the models are never garbage: the collector need not look at them again
    gc.set_threshold(*_COLLECT)
    try:
        server.run()
    except SystemExit:  # how uvicorn says that it could not begin
        where = f"{options.host} port {options.port}"
        raise UsageError(f"cannot listen on {where}: choose another {named('port')} or {named('host')}") from None
    return 0 if server.signal is None else 128 + server.signal


def _store_of(options: ServeOptions) -> Store | None:
    if options.store is None:
        return None
    shared = "://" in options.store
    return ValkeyStore(options.store, options.keep) if shared else FolderStore(Path(options.store), options.keep)


def tokens_of(options: ServeOptions) -> list[str]:
    """The tokens that clients may use.

    Raises:
        UsageError: other machines can connect, but there is no file of tokens; or it cannot be read, or is empty.
    """
    if options.token_file is None:
        if options.host not in _LOOPBACK:
            hint = f"give {named('token_file')}, or listen on 127.0.0.1"
            raise UsageError(f"{named('host')} {options.host} lets other machines connect, so it needs a token: {hint}")
        return []
    try:
        lines = Path(options.token_file).read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{named('token_file')} {options.token_file} cannot be read: {error}") from None
    if not lines:
        raise UsageError(f"{named('token_file')} {options.token_file} holds no token")
    return lines
