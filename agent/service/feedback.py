"""Feedback from shops: outcomes and events into the store, and the sales among them into the weekly facts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.domain.clock import StoreClock
from agent.domain.records import EventRecord, EventType, OutcomeRecord, ProductWeek
from agent.service.outcome_reports import ReportedOutcomes, event_of
from agent.store import Store
from agent.store.event_deduplication import identified
from agent.store.outcomes import EventOf
from models.shopper.weeks import week_of, week_start

if TYPE_CHECKING:  # loads every model's library
    from agent.service.components import Components


def record_outcomes(store: Store, clock: StoreClock, outcomes: Sequence[OutcomeRecord]) -> list[EventRecord]:
    """Store outcomes, each with the event that it adds to its shopper's history; returns the sales that were new."""
    return store.record_outcomes(outcomes, _event_of(clock), week_of_sale)


def record_reports(parts: "Components", reported: ReportedOutcomes, quote_ids: Iterable[str]) -> list[EventRecord]:
    """Check reports against the stored outcomes of their quotes and store the new ones like `record_outcomes`."""
    return parts.store.record_sequences(quote_ids, reported.check, _event_of(parts.store_clock), week_of_sale)


def record_events(store: Store, clock: StoreClock, events: Sequence[EventRecord]) -> list[EventRecord]:
    """Store behaviour events, those without an id under one from their content; returns those that were new."""
    dated = [_on_behaviour_clock(clock, event) for event in identified(events)]
    return store.append_events(dated, week_of_sale)


def week_of_sale(event: EventRecord) -> ProductWeek | None:
    """One sale in its week, with its prices where they name their currency; None for any other event."""
    if event.type is not EventType.PURCHASE or event.product_id is None:
        return None
    start = week_start(week_of(event.at.timestamp()))
    if event.currency is None:
        return ProductWeek(event.product_id, start, 1, None, None)
    return ProductWeek(event.product_id, start, 1, event.list_minor, event.price_minor, event.currency)


def _event_of(clock: StoreClock) -> EventOf:
    def behaviour_of(outcome: OutcomeRecord) -> EventRecord | None:
        event = event_of(outcome)
        return None if event is None else _on_behaviour_clock(clock, event)

    return behaviour_of


def _on_behaviour_clock(clock: StoreClock, event: EventRecord) -> EventRecord:
    return replace(event, at=clock.behaviour_time(event.at))
