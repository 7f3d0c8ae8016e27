"""``POST /v1/predict``, ``/v1/read`` and ``/v1/inside``: whole tables; files, and a look inside, for the page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from unrolled.serving.predict_tables import FORMS, JSON
from unrolled.serving.predictor import Work
from unrolled.serving.refusals import Refused

__all__ = ["inside", "predict", "read"]


async def predict(request: Request) -> Response:
    """``POST /v1/predict?model=NAME``: the table that was sent, with predictions as new columns.

    A table is JSON, ``{"rows": […]}`` or ``{"columns": {name: […]}}``; CSV; lines of JSON; or an Arrow stream. The
    answer has the form that ``Accept`` names, else that of the request.
    """
    service = request.app.state.service
    model = service.models.find(request.query_params.get("model"))
    form = _form(request.headers.get("content-type", JSON), "Unsupported")
    wanted = request.headers.get("accept", "*/*")
    answer = form if "*" in wanted else _form(wanted, "NotAcceptable")
    work = Work("tables", request.url.path, answer, {"reads": form, "writes": answer})
    return await service.predictor.answer(model, work, request)


async def read(request: Request) -> Response:
    """``POST /v1/read?model=NAME&name=FILE``: what a model makes of a file that is one example, such as a recording."""
    service = request.app.state.service
    model = service.models.find(request.query_params.get("model"))
    asked = {"name": request.query_params.get("name", ""), "streams": "" if model.cannot_stream else "yes"}
    return await service.predictor.answer(model, Work("files", request.url.path, JSON, asked), request)


async def inside(request: Request) -> Response:
    """``POST /v1/inside?model=NAME``: what goes on inside a model on the values of a session, for the page to draw."""
    service = request.app.state.service
    model = service.models.find(request.query_params.get("model"))
    return await service.predictor.answer(model, Work("inside", request.url.path, JSON, {}), request)


def _form(named: str, otherwise: str) -> str:
    """The first of our forms that a header names; ``otherwise`` is the kind of the refusal."""
    for one in named.split(","):
        if (form := one.partition(";")[0].strip().lower()) in FORMS:
            return form
    raise Refused(otherwise, f"tables are {', '.join(FORMS)}, not {named[:60]!r}")
