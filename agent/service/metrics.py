"""Prometheus metrics, without labels for shoppers or products."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from agent.domain.decision import Decision
from agent.service.service import LearningProgress

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Metrics of one merchant, in a registry of their own: one process may serve several."""

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
        self._steps = Histogram(
            "pricesmith_step_seconds", "Time of each pipeline step", ("step",), buckets=_SECONDS, registry=self.registry
        )

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
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def quoted(self, decision: Decision) -> None:
        """Count one decision."""
        self._quotes.labels(decision.rung, decision.source, decision.strategy.lever).inc()
        for step in decision.trail:
            self._rules.labels(step.rule).inc()
        for name, spent_ms in decision.timing_ms.items():
            self._steps.labels(name).observe(spent_ms / 1e3)

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
