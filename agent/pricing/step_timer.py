"""Durations of consecutive steps, as milliseconds and as trace spans."""

from dataclasses import dataclass, field
from time import perf_counter, time_ns

from agent.pricing.tracing import step_span


@dataclass(slots=True)
class StepTimer:
    """Writes the duration of each step into `steps_ms`, milliseconds by name, and emits a span for it."""

    steps_ms: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def done(self, step: str) -> None:
        """Close a step that began when the one before ended."""
        now = perf_counter()
        self.steps_ms[step] = round((now - self._last) * 1e3, 3)
        ended_ns = time_ns()
        step_span(step, ended_ns - round((now - self._last) * 1e9), ended_ns)
        self._last = now
