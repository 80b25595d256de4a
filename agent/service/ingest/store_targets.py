"""Targets of an import that need the store alone: no model is loaded, and servers follow what is stored."""

from collections.abc import Sequence
from dataclasses import replace

from agent.domain.clock import Clock, StoreClock
from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord
from agent.service.feedback import record_events, record_outcomes
from agent.service.ingest.intake import ImportTargets
from agent.service.ingest.reading import ProductOf
from agent.store import Store


def store_targets(store: Store, clock: Clock, product_of: ProductOf | None = None) -> ImportTargets:
    """Targets that write to the store; without `product_of` all its products are read into memory first."""
    known = {} if product_of is not None else {one.product_id: one for one in store.iter_products()}
    behaviour = StoreClock.from_meta(store.meta)

    def upsert(products: Sequence[ProductRecord]) -> None:
        store.upsert_products(products, clock.now())
        known.update((one.product_id, one) for one in products)

    def keep_outcomes(outcomes: Sequence[OutcomeRecord]) -> None:
        record_outcomes(store, behaviour, outcomes)

    return ImportTargets(
        products=upsert,
        events=lambda events: record_events(store, behaviour, events),
        shoppers=store.upsert_profiles,
        outcomes=keep_outcomes,
        completed=store.complete_outcomes,
        known_events=store.known_events,
        known_outcomes=store.known_outcomes,
        outcomes_by_line=store.outcomes_by_line,
        product_of=product_of or known.get,
        now=clock.now(),
    )


def dry(targets: ImportTargets) -> ImportTargets:
    """Targets that look up as the given ones do and write nothing; an event is new unless its id is stored."""

    def new(events: Sequence[EventRecord]) -> list[EventRecord]:
        known = targets.known_events([event.event_id or "" for event in events])
        return [event for event in events if event.event_id not in known]

    return replace(targets, products=_nothing, events=new, shoppers=_nothing, outcomes=_nothing, completed=_nothing)


def _nothing(_records: object) -> None:
    """Store nothing."""
