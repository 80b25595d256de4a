"""Reports of outcomes by shops, as outcome records, and what they add to the history of a shopper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from uuid_utils import uuid7

from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.domain.refusal import FieldProblem, Refusal
from agent.service.outcome_sequence import TICK, OutcomeReport, OutcomeSequence
from agent.store.codec import Offer
from agent.store.column_types import micros
from agent.store.event_deduplication import content_id


@dataclass(frozen=True, slots=True)
class AnsweredReport:
    """The stored outcome that a report led to, or a refusal; `new` tells whether the report stored it."""

    answer: OutcomeRecord | Refusal
    new: bool


class ReportedOutcomes:
    """Reports of one request, checked one after the other against what is stored of their quotes.

    Attributes:
        answers: The stored outcome or a refusal for each report, in order.
        fresh: New outcomes among the answers, in order.
    """

    def __init__(self, reports: Sequence[OutcomeReport], offers: Mapping[str, Offer], now: datetime) -> None:
        """`offers` are those of the known quotes; reports on other quotes are refused."""
        self.answers: list[OutcomeRecord | Refusal] = []
        self.fresh: list[OutcomeRecord] = []
        self._reports = reports
        self._offers = offers
        self._now = now

    def check(self, stored: Mapping[str, Sequence[OutcomeRecord]]) -> list[OutcomeRecord]:
        """Answer all reports, given the stored outcomes of each quote; returns the new outcomes."""
        self.answers, self.fresh = [], []
        sequences = {
            quote_id: OutcomeSequence(offer, stored.get(quote_id, ())) for quote_id, offer in self._offers.items()
        }
        for position, report in enumerate(self._reports):
            sequence = sequences.get(report.quote_id)
            if sequence is None:
                self.answers.append(_unknown_quote(report.quote_id))
                continue
            known = len(sequence.fresh)
            self.answers.append(sequence.add(report, self._now + position * TICK))
            self.fresh += sequence.fresh[known:]
        return self.fresh


def _unknown_quote(quote_id: str) -> Refusal:
    shown = quote_id[:80]
    problem = FieldProblem("quote_id", "no quote has this id", shown, "the id in the answer to a quote")
    return Refusal(404, "quote-unknown", f"no quote has the id {shown!r}", (problem,))


def event_of(outcome: OutcomeRecord) -> EventRecord | None:
    """The event that an outcome adds to its shopper's history: a purchase, or an offer declined by a known shopper."""
    if outcome.product_id is None:
        return None
    if outcome.type is OutcomeType.PURCHASED:
        return purchase_of(outcome)
    if outcome.type is OutcomeType.DECLINED and outcome.shopper_id is not None:
        return _decline_of(outcome, outcome.shopper_id)
    return None


def _decline_of(outcome: OutcomeRecord, shopper_id: str) -> EventRecord:
    digest = sha256(outcome.outcome_id.encode()).hexdigest()[:24]
    return EventRecord(
        shopper_id=shopper_id,
        type=EventType.DECLINE,
        at=outcome.at,
        product_id=outcome.product_id,
        price_minor=outcome.price_minor,
        list_minor=outcome.reference_minor,
        currency=outcome.currency,
        event_id=f"{EventType.DECLINE.value}:{micros(outcome.at):016x}:{digest}",
    )


def purchase_of(outcome: OutcomeRecord) -> EventRecord:
    """The purchase event of an outcome; its id keeps a sale that is also reported as an event from counting twice."""
    sale = EventRecord(
        shopper_id=outcome.shopper_id or f"anonymous:{uuid7()}",
        type=EventType.PURCHASE,
        at=outcome.at,
        product_id=outcome.product_id,
        quantity=outcome.quantity,
        price_minor=outcome.price_minor,
        list_minor=outcome.reference_minor,
        currency=outcome.currency,
    )
    return replace(sale, event_id=content_id(sale)) if outcome.shopper_id is not None else sale
