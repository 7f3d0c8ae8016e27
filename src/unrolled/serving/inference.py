"""The Open Inference Protocol, version 2, over JSON: predictions for programs and gateways that speak it.

A column without steps is a tensor [B], one with steps [B, T], one of several channels [B, T, W]; where any has steps,
``lengths`` [B] says how many are real. Numbers are FP64, texts and labels BYTES.

Axes: B rows, T steps, W channels.
"""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from unrolled.serving.messages import encoded
from unrolled.serving.predict_tables import JSON
from unrolled.serving.predict_tensors import inputs_of, outputs_of
from unrolled.serving.predictor import Work
from unrolled.serving.refusals import Refused
from unrolled.serving.served import Served

__all__ = ["infer", "live", "metadata", "model_ready", "ready", "server"]

_BINARY = "inference-header-content-length"
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE


async def server(_: Request) -> Response:
    """``GET /v2``: what the server is."""
    return _said({"name": "unrolled", "version": version("unrolled"), "extensions": []})


async def live(request: Request) -> Response:
    """``GET /v2/health/live``: whether the server works."""
    return _said({"live": True}) if request.app.state.service.models.alive else _said({"live": False}, _UNAVAILABLE)


async def ready(request: Request) -> Response:
    """``GET /v2/health/ready``: whether further clients should come here."""
    reason = request.app.state.service.unready()
    return _said({"ready": True}) if reason is None else _said({"ready": False, "reason": reason}, _UNAVAILABLE)


async def metadata(request: Request) -> Response:
    """``GET /v2/models/NAME``: the tensors that a model reads and gives."""
    model = _model(request)
    inputs = [
        {"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in inputs_of(model.trained).items()
    ]
    return _said(
        {
            "name": model.name,
            "versions": [model.version],
            "platform": "unrolled",
            "inputs": inputs,
            "outputs": outputs_of(model.trained),
        }
    )


async def model_ready(request: Request) -> Response:
    """``GET /v2/models/NAME/ready``: whether a model answers."""
    model = _model(request)
    return _said({"name": model.name, "ready": model.alive}, HTTPStatus.OK if model.alive else _UNAVAILABLE)


async def infer(request: Request) -> Response:
    """``POST /v2/models/NAME/infer``: the answers to rows, as `Trained.predict` gives them.

    Raises:
        Refused: there is no such model, version or output, or a tensor does not fit.
    """
    service, model = request.app.state.service, _model(request)
    if _BINARY in request.headers:
        raise Refused("Unsupported", "tensors are read as JSON here: send them without the binary extension")
    work = Work("tensors", request.url.path, JSON, {"name": model.name, "version": model.version})
    return await service.predictor.answer(model, work, request)


def _said(told: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(encoded(told), status, media_type="application/json")


def _model(request: Request) -> Served:
    model: Served = request.app.state.service.models.find(request.path_params["name"])
    wanted = request.path_params.get("version")
    if wanted is not None and wanted != model.version:
        raise Refused("NotFound", f"the model {model.name} has the version {model.version}, not {wanted[:60]!r}")
    return model
