"""The application: which address is answered by what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from unrolled.errors import UnrolledError
from unrolled.runs.trained import Trained
from unrolled.serving import completions, counters, http, inference, playground, predictions, server_events, sockets
from unrolled.serving.guard import Guard
from unrolled.serving.openapi import openapi
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.service import Service
from unrolled.serving.store import Store

__all__ = ["app"]


def app(
    models: Mapping[str, Trained], options: ServeOptions, *, tokens: Iterable[str] = (), store: Store | None = None
) -> Starlette:
    """The server as an ASGI application; it answers once its lifespan has begun.

    Args:
        models: name -> model, the default one first.
        options: all of them.
        tokens: those that are accepted; none: no token is asked for.
        store: where sessions are kept that are not in memory. Default: this process.
    """
    service = Service(models, options, store)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        service.start()
        try:
            yield
            await service.stop()
        finally:
            await service.predictor.stop()

    found = Starlette(
        routes=[  # they are tried in this order
            Route("/v1/steps", http.steps, methods=["POST"]),
            Route("/", playground.playground),
            WebSocketRoute("/v1/live", sockets.live),
            WebSocketRoute("/v1/live/many", sockets.many),
            Route("/v1/sessions", http.open_session, methods=["POST"]),
            Route("/v1/sessions/{session}", http.close, methods=["DELETE"]),
            Route("/v1/sessions/{session}/steps", http.step, methods=["POST"]),
            Route("/v1/sessions/{session}/snapshot", http.snapshot, methods=["GET"]),
            Route("/v1/sessions/{session}/snapshot", http.replace, methods=["PUT"]),
            Route("/v1/generate", server_events.generate, methods=["POST"]),
            Route("/v1/completions", completions.complete, methods=["POST"]),
            Route("/v1/chat/completions", completions.chat, methods=["POST"]),
            Route("/v1/models", completions.models),
            Route("/v1/models/{name}", completions.model),
            Route("/v1/predict", predictions.predict, methods=["POST"]),
            Route("/v1/read", predictions.read, methods=["POST"]),
            Route("/v1/inside", predictions.inside, methods=["POST"]),
            Route("/v1/model", http.model),
            Route("/v2", inference.server),
            Route("/v2/health/live", inference.live),
            Route("/v2/health/ready", inference.ready),
            *(
                Route(f"/v2/models/{{name}}{version}{path}", endpoint, methods=[method])
                for version in ("", "/versions/{version}")
                for path, endpoint, method in (
                    ("", inference.metadata, "GET"),
                    ("/ready", inference.model_ready, "GET"),
                    ("/infer", inference.infer, "POST"),
                )
            ),
            Route("/v1/reload", http.reload, methods=["POST"]),
            Route("/metrics", counters.metrics),
            Route("/healthz", http.alive),
            Route("/readyz", http.ready),
            Route("/openapi.json", openapi),
        ],
        middleware=[Middleware(Guard, options=options, tokens=tokens)],
        exception_handlers={UnrolledError: http.failed, Exception: http.failed},
        lifespan=lifespan,
    )
    found.state.service = service
    return found
