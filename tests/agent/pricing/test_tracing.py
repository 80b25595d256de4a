"""Traces show the seven steps of a request, and nothing of its shopper."""

import asyncio
import json
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.api.batching import MicroBatcher
from agent.api.logs import service_log
from agent.pricing import tracing
from agent.pricing.step_timer import StepTimer


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "TRACER", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


class Steps:
    """Two steps over a batch."""

    @tracing.batch_span
    def quote(self, requests: Sequence[int]) -> list[int]:
        timer = StepTimer()
        timer.done("observe")
        timer.done("record")
        return list(requests)


def test_a_request_has_its_batch_and_its_steps_below_it_and_the_others_in_the_batch_are_linked(
    spans: InMemorySpanExporter,
) -> None:
    async def asked(batcher: MicroBatcher[int, int], number: int) -> int:
        with tracing.request_span("POST", None) as span:
            answer = await batcher.ask(number)
            tracing.answered(span, "POST", "/v1/quotes", 200)
            return answer

    async def scenario() -> list[int]:
        batcher = MicroBatcher(Steps().quote, limit=10)
        answers = await asyncio.gather(*(asked(batcher, number) for number in range(3)))
        await batcher.close()
        return answers

    assert asyncio.run(scenario()) == [0, 1, 2]
    found = spans.get_finished_spans()
    requests = {span.context.span_id: span for span in found if span.kind is trace.SpanKind.SERVER and span.context}
    batches = [span for span in found if span.name == "pricesmith.quotes"]
    assert [span.name for span in requests.values()] == ["POST /v1/quotes"] * 3
    reached = set()
    for batch in batches:
        assert batch.parent is not None
        reached |= {batch.parent.span_id, *(link.context.span_id for link in batch.links)}
        steps = [s.name for s in found if s.parent and batch.context and s.parent.span_id == batch.context.span_id]
        assert steps == ["pricesmith.observe", "pricesmith.record"]
    assert reached == set(requests), "every request is found from the batch that answered it"


def test_a_senders_trace_goes_on_and_stands_in_the_log(
    spans: InMemorySpanExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    with tracing.request_span("GET", f"00-{trace_id}-00f067aa0ba902b7-01"):
        assert tracing.trace_id() == trace_id
        service_log().info("request")
    assert json.loads(capsys.readouterr().out)["trace_id"] == trace_id
    assert tracing.trace_id() is None


@pytest.mark.parametrize("sent", ["", "nonsense", "00-zz-zz-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_traceparent_that_is_none_starts_a_trace_of_our_own(spans: InMemorySpanExporter, sent: str) -> None:
    with tracing.request_span("GET", sent):
        assert tracing.trace_id() not in (None, "0" * 32)


def test_an_error_leaves_no_message_in_the_trace(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.request_span("GET", None):
        raise ValueError("secret-shopper")
    assert "secret-shopper" not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_without_an_exporter_spans_cost_nothing_and_have_no_id() -> None:
    with tracing.request_span("GET", None):
        StepTimer().done("observe")
        assert tracing.trace_id() is None


def test_an_endpoint_without_the_extra_is_one_line_with_the_remedy() -> None:
    tracing.check_exporter()
    with pytest.raises(
        tracing.TracingError, match=r"^PRICESMITH_OTLP_ENDPOINT .*; remedy: pip install 'pricesmith\[tracing\]'$"
    ):
        tracing.check_exporter(lambda _name: None)
