"""Every address over HTTP is described, and answers what its description says, whatever it is asked (S18)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving.loopback import Loopback
from starlette.routing import Route

from unrolled.serving.app import app
from unrolled.serving.openapi import OPERATIONS
from unrolled.serving.serve_options import ServeOptions

_VALUES = [1.5, {"load": 1, "temp": 2}, {"load": None, "temp": 2}, {"load": "x"}, {}]


@schemathesis.serializer("application/vnd.safetensors")
def _state(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def test_every_address_is_described(server: Loopback) -> None:
    told = server.ask("GET", "/openapi.json").json
    described = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    routes = [route for route in app({}, ServeOptions()).routes if isinstance(route, Route)]
    asked = {(method, route.path) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert described == asked == set(OPERATIONS)
    assert all(one["summary"].endswith(".") for methods in told["paths"].values() for one in methods.values())


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # schemathesis's own
def test_whatever_is_asked_the_answer_is_one_that_is_described(
    server: Loopback, times: Callable[[int, int], int]
) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    session = server.ask("POST", "/v1/sessions").json["session"]
    chance, statuses = random.Random(0), Counter[int]()
    for operation in operations:

        @settings(
            max_examples=-(-times(200, 2000) // len(operations)),
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            if "session" in case.path_parameters and case.method != "DELETE" and chance.random() < 0.7:
                case.path_parameters["session"] = session
            if isinstance(case.body, dict) and "x" in case.body and chance.random() < 0.7:
                case.body = {"x": chance.choice(_VALUES)}
            answer = case.call()
            statuses[answer.status_code] += 1
            # Whether a value fits its column is not for a schema to say.
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])

        ask()
    assert not [status for status in statuses if status >= 500]
    assert {200, 201, 400, 404, 422} <= set(statuses)
