"""OpenTelemetry traces: a span a request, one for each batch of quotes, one for each of the seven steps in it.

Core needs the API alone, whose spans cost microseconds and go nowhere; `export_to` (extra `tracing`) sends them to a
collector. Spans carry methods, route templates, statuses and counts: never a path, a message or anything of a shopper.
"""

from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import Context, ContextVar
from functools import wraps
from importlib.util import find_spec
from typing import Final, ParamSpec, TypeVar, cast

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

P = ParamSpec("P")
T = TypeVar("T")

TRACER = trace.get_tracer("pricesmith")
STEP_PREFIX: Final = "pricesmith."
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_BESIDE: ContextVar[tuple[trace.Link, ...]] = ContextVar("pricesmith_beside", default=())


class TracingError(RuntimeError):
    """Traces cannot be exported to the endpoint set."""


def check_exporter(find: Callable[[str], object] = find_spec) -> None:
    """Check that the packages that send spans are installed, without loading them.

    Raises:
        TracingError: The extra `tracing` is not installed.
    """
    for package in ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http"):
        if not find(package):
            missing = f"PRICESMITH_OTLP_ENDPOINT needs the package {package}, which is not installed"
            raise TracingError(f"{missing}; remedy: pip install 'pricesmith[tracing]'")


def export_to(endpoint: str) -> None:
    """Send spans to an OTLP collector over HTTP, in batches, from a thread of their own.

    Raises:
        TracingError: The extra `tracing` is not installed.
    """
    check_exporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "pricesmith"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)


@contextmanager
def request_span(method: str, traceparent: str | None) -> Iterator[trace.Span]:
    """The span of one request, below the sender's when it sent a `traceparent`."""
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    with TRACER.start_as_current_span(
        method, context=parent, kind=trace.SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        span.set_attribute("http.request.method", method)
        yield span


def answered(span: trace.Span, method: str, route: str, status: int) -> None:
    """Record the result of a request; `route` is a template, not a path."""
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(trace.StatusCode.ERROR)


def joined(contexts: Sequence[Context]) -> Context:
    """A context for a batch: the first request's, with links to the spans of the others."""
    spans = [context.run(trace.get_current_span).get_span_context() for context in contexts[1:]]
    first = contexts[0].copy()
    first.run(_BESIDE.set, tuple(trace.Link(span) for span in spans if span.is_valid))
    return first


def batch_span(work: Callable[P, T]) -> Callable[P, T]:
    """Wrap a method on a batch of requests in a span linked to the requests' own."""

    @wraps(work)
    def traced(*arguments: P.args, **named: P.kwargs) -> T:
        with TRACER.start_as_current_span(
            f"{STEP_PREFIX}quotes", links=_BESIDE.get(), record_exception=False, set_status_on_exception=False
        ) as span:
            span.set_attribute("pricesmith.batch_size", len(cast(Sized, arguments[1])))
            return work(*arguments, **named)

    return traced


def step_span(step: str, began_ns: int, ended_ns: int) -> None:
    """Emit the span of a finished step; times in nanoseconds since 1970."""
    TRACER.start_span(f"{STEP_PREFIX}{step}", start_time=began_ns).end(ended_ns)


def trace_id() -> str | None:
    """The current trace id as 32 hexadecimal digits, None outside a trace."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
