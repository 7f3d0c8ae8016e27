"""What Prometheus asks for: counts and times of this process. No label comes from a client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from unrolled.serving.served import Served

__all__ = ["Metrics", "metrics"]

_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
_STEPS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)


class Metrics:
    """Collects the metrics of a server when somebody asks for them.

    Args:
        gauges: name -> what it is, and how many there are now.
        totals: name -> what it is, and how many there have been.

    Attributes:
        models: those that are served, and those that only old sessions use.
    """

    def __init__(
        self,
        gauges: Callable[[], dict[str, tuple[str, float]]],
        totals: Callable[[], dict[str, tuple[str, float]]] = dict,
    ) -> None:
        self._gauges, self._totals = gauges, totals
        self.models: Iterable[Served] = ()
        self.registry = CollectorRegistry()
        about = {"labelnames": ("model",), "registry": self.registry}
        self._seconds = Histogram("unrolled_tick_seconds", "How long a tick took.", buckets=_SECONDS, **about)  # type: ignore[arg-type]
        self._steps = Histogram("unrolled_tick_steps", "Steps of a tick.", buckets=_STEPS, **about)  # type: ignore[arg-type]
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def watch(self, model: str) -> Callable[[float, int], None]:
        """What is told of each tick of a model: how long it took, and how many steps it had."""
        seconds, steps = self._seconds.labels(model), self._steps.labels(model)

        def watched(took: float, size: int) -> None:
            seconds.observe(took)
            steps.observe(size)

        return watched

    def collect(self) -> Iterator[Metric]:
        """The numbers that the server keeps anyway."""
        for name, (told, value) in self._gauges().items():
            yield GaugeMetricFamily(f"unrolled_{name}", told, value=value)
        for name, (told, value) in self._totals().items():
            yield CounterMetricFamily(f"unrolled_{name}", told, value=value)
        waiting = GaugeMetricFamily("unrolled_steps_waiting", "Steps that wait for a tick.", labels=("model",))
        taken = CounterMetricFamily("unrolled_steps", "Steps that were taken.", labels=("model",))
        errors = CounterMetricFamily("unrolled_errors", "Steps that were refused.", labels=("model", "type"))
        steps: dict[str, int] = {}
        refused: dict[tuple[str, str], int] = {}
        for model in self.models:
            steps[model.name] = steps.get(model.name, 0) + model.steps
            for kind, count in model.errors.items():
                refused[model.name, kind] = refused.get((model.name, kind), 0) + count
            waiting.add_metric((model.name,), model.waiting)
        for name, total in steps.items():
            taken.add_metric((name,), total)
        for labels, total in refused.items():
            errors.add_metric(labels, total)
        yield from (waiting, taken, errors)


async def metrics(request: Request) -> Response:
    """``GET /metrics``: the metrics as Prometheus reads them."""
    return Response(generate_latest(request.app.state.service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
