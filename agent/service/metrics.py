"""Prometheus metrics, without labels for shoppers or products."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from agent.domain.decision import Decision
from agent.service.answering import LearningProgress

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


class StepTimes(Collector):
    """Histogram of the time of each step: `Histogram` takes ten times as long for each of a page's 400 observations."""

    def __init__(self) -> None:
        """Start empty."""
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, step: str, seconds: float) -> None:
        """Add an observation."""
        counts = self._counts.get(step)
        if counts is None:
            counts = self._counts[step] = [0] * (len(_SECONDS) + 1)
            self._sums[step] = 0.0
        counts[bisect_left(_SECONDS, seconds)] += 1
        self._sums[step] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram as Prometheus reads it, with cumulative counts."""
        found = HistogramMetricFamily("pricesmith_step_seconds", "Time of each pipeline step", labels=["step"])
        bounds = [*map(str, _SECONDS), "+Inf"]
        for step, counts in self._counts.items():
            found.add_metric([step], list(zip(bounds, accumulate(counts), strict=True)), self._sums[step])
        yield found


class Metrics:
    """Metrics of one merchant, in a registry of their own: one process may serve several. For one thread."""

    def __init__(self) -> None:
        """Register all metrics."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "pricesmith_requests", "Requests by route and status", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "pricesmith_request_seconds",
            "Time to answer by route",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._quotes = Counter(
            "pricesmith_quotes", "Quotes by rung, source and lever", ("rung", "source", "lever"), registry=self.registry
        )
        self._rules = Counter(
            "pricesmith_rules_bound", "Gateway rules that moved a price", ("rule",), registry=self.registry
        )
        self._steps = StepTimes()
        self.registry.register(self._steps)
        self._found: dict[tuple[Counter | str, ...], Counter] = {}
        self._found_seconds: dict[str, Histogram] = {}
        self._lessons = Gauge(
            "pricesmith_lessons", "Outcomes that the evaluator learned from online", registry=self.registry
        )
        self._alarms = Gauge(
            "pricesmith_drift_alarms", "Times that outcomes drifted away from their predictions", registry=self.registry
        )

    def learned(self, found: LearningProgress) -> None:
        """Set the gauges of online learning."""
        self._lessons.set(found.lessons)
        self._alarms.set(found.drift_alarms)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._count(self._requests, method, route, str(status))
        timed = self._found_seconds.get(route)
        if timed is None:
            timed = self._found_seconds[route] = self._seconds.labels(route)
        timed.observe(seconds)

    def quoted(self, decision: Decision) -> None:
        """Count one decision."""
        self._count(self._quotes, decision.rung, decision.source, decision.strategy.lever)
        for step in decision.trail:
            self._count(self._rules, step.rule)
        for name, spent_ms in decision.timing_ms.items():
            self._steps.observe(name, spent_ms / 1e3)

    def _count(self, counter: Counter, *labels: str) -> None:
        """Count one; `labels` of a counter take longer to find there than here."""
        name: tuple[Counter | str, ...] = (counter, *labels)
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = counter.labels(*labels)
        found.inc()

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
