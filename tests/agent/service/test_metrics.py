"""Metrics as Prometheus reads them."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from agent.domain.decision import TrailStep
from agent.service.metrics import Metrics, StepTimes
from tests.agent.store.builders import decision

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


def lines(registry: CollectorRegistry) -> set[str]:
    """The samples in the text format, without the times at which a series began."""
    return {line for line in generate_latest(registry).decode().splitlines() if "_created" not in line}


@given(st.lists(st.tuples(st.sampled_from(["observe", "record"]), st.sampled_from(BOUNDS) | st.floats(0, 20))))
def test_times_of_steps_are_those_of_the_librarys_histogram(told: list[tuple[str, float]]) -> None:
    ours, theirs, times = CollectorRegistry(), CollectorRegistry(), StepTimes()
    ours.register(times)
    histogram = Histogram(
        "pricesmith_step_seconds", "Time of each pipeline step", ("step",), buckets=BOUNDS, registry=theirs
    )
    for step, seconds in told:
        times.observe(step, seconds)
        histogram.labels(step).observe(seconds)
    assert lines(ours) == lines(theirs)


def test_answers_and_quotes_are_counted_by_their_labels() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.answered("POST", "/v1/quotes", 201, 0.004)
        metrics.quoted(decision(trail=(TrailStep("floor", 270, 279), TrailStep("rounding", 279, 279))))
    found = lines(metrics.registry)
    assert 'pricesmith_requests_total{method="POST",route="/v1/quotes",status="201"} 2.0' in found
    assert 'pricesmith_request_seconds_bucket{le="0.005",route="/v1/quotes"} 2.0' in found
    assert 'pricesmith_quotes_total{lever="hold",rung="model",source="model"} 2.0' in found
    assert 'pricesmith_rules_bound_total{rule="rounding"} 2.0' in found
    assert 'pricesmith_step_seconds_bucket{le="0.0025",step="observe"} 2.0' in found
