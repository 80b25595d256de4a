"""Stored events and outcomes that an import would refuse or set aside today, found and removed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from agent.domain.clock import StoreClock
from agent.domain.fields import MAX_AHEAD
from agent.domain.plausibility import (
    Suspicion,
    currency_refusal,
    event_suspicion,
    future_refusal,
    outcome_suspicion,
)
from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord
from agent.store import Store
from agent.store.rows import chunks

T = TypeVar("T", EventRecord, OutcomeRecord)

_BATCH = 1_000


class RowKind(StrEnum):
    """Kind of a stored row."""

    EVENT = "event"
    OUTCOME = "outcome"


class Fault(StrEnum):
    """Reason why a stored row is bad."""

    FUTURE = "date in the future"
    CURRENCY = "other currency than its product"
    SUSPICIOUS = "probably wrong"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A stored row that would be refused or set aside today.

    Attributes:
        number: Its number in the store, for removal.
        removable: False for outcomes of quotes, to which the audit log commits.
    """

    kind: RowKind
    number: int
    row_id: str
    shopper_id: str
    product_id: str
    at: datetime
    fault: Fault
    reason: str
    removable: bool


def bad_rows(store: Store, now: datetime) -> Iterator[BadRow]:
    """Bad events, then bad outcomes, by number.

    Suspicious rows that were imported with `--accept-suspicious` are among them.
    """
    behaved = StoreClock.from_meta(store.meta).behaviour_time(now)  # events are dated on the calendar of the history
    for number, event, product in _beside_products(store, store.doubtful_events(behaved + MAX_AHEAD)):
        found = _fault(event, product, behaved, event_suspicion)
        if found is not None:
            ids = (event.event_id or "", event.shopper_id, event.product_id or "")
            yield BadRow(RowKind.EVENT, number, *ids, event.at, *found, removable=True)
    for number, outcome, product in _beside_products(store, store.doubtful_outcomes(now + MAX_AHEAD)):
        found = _fault(outcome, product, now, outcome_suspicion)
        if found is not None:
            ids = (outcome.outcome_id, outcome.shopper_id or "", outcome.product_id or "")
            yield BadRow(RowKind.OUTCOME, number, *ids, outcome.at, *found, removable=outcome.quote_id is None)


def _fault(
    row: T,
    product: ProductRecord | None,
    now: datetime,
    suspicion_of: Callable[[T, ProductRecord | None], Suspicion | None],
) -> tuple[Fault, str] | None:
    if future_refusal(row.at, now) is not None:
        return Fault.FUTURE, f"{row.at.astimezone(UTC):%Y-%m-%d} is more than a day after now"
    if product is not None and currency_refusal(product, row.currency) is not None:
        return Fault.CURRENCY, f"in {row.currency}, its product in {product.currency}"
    doubt = suspicion_of(row, product)
    return None if doubt is None else (Fault.SUSPICIOUS, f"{doubt.doubt}: {doubt.value} beside {doubt.expected}")


def _beside_products(store: Store, rows: Iterator[tuple[int, T]]) -> Iterator[tuple[int, T, ProductRecord | None]]:
    for some in chunks(rows, _BATCH):
        products = store.products(list({row.product_id for _, row in some if row.product_id is not None}))
        yield from ((number, row, products.get(row.product_id or "")) for number, row in some)


def removable_numbers(rows: Sequence[BadRow], kind: RowKind) -> list[int]:
    """Numbers of the removable ones of a kind."""
    return [row.number for row in rows if row.kind is kind and row.removable]
