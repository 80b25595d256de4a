"""Checks of reported events against the clock and the currencies of their products."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from agent.domain.plausibility import currency_refusal, future_refusal
from agent.domain.records import EventRecord, ProductRecord
from agent.domain.refusal import FieldProblem, Refusal

_MOST: Final = 50
_NAMED: Final = 3


def refusal_of(
    events: Sequence[EventRecord], product_of: Callable[[str], ProductRecord | None], now: datetime
) -> Refusal | None:
    """A refusal of a list of events that names every bad one, at most 50; None when all can be recorded."""
    problems = [problem for index, event in enumerate(events) for problem in _problems(index, event, product_of, now)]
    if not problems:
        return None
    named = "; ".join(f"{one.field} {one.message}" for one in problems[:_NAMED])
    more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return Refusal(422, "events-invalid", f"{named}{more}", tuple(problems[:_MOST]))


def _problems(
    index: int, event: EventRecord, product_of: Callable[[str], ProductRecord | None], now: datetime
) -> Iterator[FieldProblem]:
    if (reason := future_refusal(event.at, now)) is not None:
        yield FieldProblem.of_reason(f"events.{index}.at", reason, event.at.isoformat())
    product = product_of(event.product_id) if event.product_id is not None else None
    if (reason := currency_refusal(product, event.currency)) is not None:
        yield FieldProblem.of_reason(f"events.{index}.price.currency", reason, event.currency or "")
