"""Sequence of outcomes of one quote: which reports may follow those stored, and which report one of them again.

The quoted units are bought once at most, in one purchase or several; units are returned after they were bought, once
at most; a decline comes before any purchase, a rating after one, and the latest rating counts. A report that cannot be
is refused, with what is allowed. One that repeats a stored outcome is answered with it. Where nothing tells a
repetition from another outcome the report is refused too: neither is a return lost nor a sale counted twice.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.domain.plausibility import future_refusal
from agent.domain.records import OutcomeRecord, OutcomeType
from agent.domain.refusal import FieldProblem, Refusal
from agent.store.codec import Offer

_PURCHASED, _RETURNED, _DECLINED = OutcomeType.PURCHASED, OutcomeType.RETURNED, OutcomeType.DECLINED
_RATED: Final = OutcomeType.RATED
_AFTER_SALE: Final = (_RETURNED, _RATED)
TICK: Final = timedelta(microseconds=1)
_TELL: Final = "an outcome_id, the time `at`, or an Idempotency-Key, which tell one outcome from another"


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """A shop's report of an outcome.

    Attributes:
        quantity: By default the quoted units, for a return or a rating those bought.
        at: When it happened; now by default.
        outcome_id: The shop's id of the outcome.
        rating: The shopper's, 1-5.
        attempt_id: Id from the request's idempotency key, the same in every attempt.
    """

    quote_id: str
    type: OutcomeType
    quantity: int | None = None
    at: datetime | None = None
    outcome_id: str | None = None
    rating: float | None = None
    attempt_id: str | None = None


class OutcomeSequence:
    """Outcomes of one quote: those stored, and `fresh` ones that one request adds."""

    def __init__(self, offer: Offer, stored: Sequence[OutcomeRecord]) -> None:
        """`stored` are in order of arrival."""
        self.fresh: list[OutcomeRecord] = []
        self._offer = offer
        self._stored = tuple(stored)
        self._repeated: Counter[tuple[OutcomeType, int, datetime | None]] = Counter()

    def add(self, report: OutcomeReport, now: datetime) -> OutcomeRecord | Refusal:
        """Add a report; returns the new outcome, the known one that it repeats, or a refusal."""
        quantity = report.quantity or self._default_quantity(report.type)
        known = self._named(report, quantity) or self._invalid(report, quantity, now) or self._twin(report, quantity)
        if known is not None:
            return known
        conflict = self._conflict(report.type, quantity)
        if conflict is not None:
            return conflict
        record = self._record(report, quantity, now)
        self.fresh.append(record)
        return record

    def _default_quantity(self, kind: OutcomeType) -> int:
        bought = self._units(_PURCHASED)
        return bought if kind in _AFTER_SALE and bought else self._offer.quantity

    def _named(self, report: OutcomeReport, quantity: int) -> OutcomeRecord | Refusal | None:
        """The outcome that has the report's own id, or a refusal where that is another one."""
        own_id = _own_id(report)
        known = next((one for one in self._all if one.outcome_id == own_id), None)
        if known is None:
            return None
        given = (report.type, report.quantity and quantity, report.at, report.rating)
        rating = report.rating and known.rating
        stored = (known.type, report.quantity and known.quantity, report.at and known.at, rating)
        if given == stored:
            return known
        problem = FieldProblem(
            "outcome_id", "names another outcome of the quote", report.outcome_id or "", "a new id for each outcome"
        )
        return _conflicting(f"the outcome_id was used for another outcome of the quote: {_named(known)}", problem)

    def _invalid(self, report: OutcomeReport, quantity: int, now: datetime) -> Refusal | None:
        """A refusal of what no sequence may contain."""
        if quantity > self._offer.quantity:
            allowed = f"1 to {self._offer.quantity}, the quoted quantity"
            problem = FieldProblem("quantity", "is above the quoted one", str(quantity), allowed)
            return Refusal(
                422, "outcome-invalid", f"the outcome is of {quantity} units; allowed: {allowed}", (problem,)
            )
        if report.rating is not None if report.type is _DECLINED else report.type is _RATED and report.rating is None:
            return _misrated(report)
        if report.at is None:
            return None
        if report.at < self._offer.at:
            return _misdated(f"is before the quote; allowed: {self._offer.at.isoformat()} or later", report.at)
        ahead = future_refusal(report.at, now)
        if ahead is not None:
            return _misdated(ahead, report.at)
        bought_at = self._bought_at
        if report.type in _AFTER_SALE and bought_at is not None and report.at < bought_at:
            return _misdated(f"is before the purchase; allowed: {bought_at.isoformat()} or later", report.at)
        return None

    def _twin(self, report: OutcomeReport, quantity: int) -> OutcomeRecord | Refusal | None:
        """The stored outcome that a report without an id of its own repeats, or a refusal where that is uncertain."""
        if report.outcome_id is not None:
            return None
        if report.type is _RATED:
            return self._same_rating(report)
        twins = [one for one in self._all if _content(one, report.at) == (report.type, quantity, report.at)]
        stored = [one for one in twins if one not in self.fresh]
        if report.at is not None and report.attempt_id is None:
            nth = self._repeated[report.type, quantity, report.at]
            if nth < len(stored):  # rows of one request are not each other's repetitions
                self._repeated[report.type, quantity, report.at] += 1
                return _rated_alike(stored[nth], report)
        if twins and self._conflict(report.type, quantity) is not None:
            return _rated_alike(twins[-1], report)
        if not stored or report.at is not None or report.attempt_id is not None:
            return None
        problem = FieldProblem("at", "is missing, and the quote has such an outcome already", "", _TELL)
        return _conflicting(
            f"this may be another outcome, or {_named(stored[-1])} reported again; remedy: send {_TELL}", problem
        )

    def _same_rating(self, report: OutcomeReport) -> OutcomeRecord | None:
        """The latest rating, where the report gives the same at no other time."""
        last = next((one for one in reversed(self._all) if one.type is _RATED), None)
        if last is None or last.rating != report.rating or report.at not in (None, last.at):
            return None
        return last

    def _conflict(self, kind: OutcomeType, quantity: int) -> Refusal | None:
        """A refusal of what cannot follow the outcomes so far."""
        bought, returned = self._units(_PURCHASED), self._units(_RETURNED)
        if kind is _DECLINED:
            if not bought and not any(one.type is _DECLINED for one in self._all):
                return None
            state = f"{bought} units were bought" if bought else "it was declined already"
            problem = FieldProblem("type", "cannot follow", kind.value, "declined once, before any purchase")
            return _conflicting(f"the quote cannot be declined: {state}", problem)
        if kind in _AFTER_SALE and not bought:
            problem = FieldProblem("type", "cannot come first", kind.value, f"{kind.value}, after purchased")
            return _conflicting(f"nothing was bought at this quote that could be {kind.value}", problem)
        if kind is _RATED:
            return None
        left = bought - returned if kind is _RETURNED else self._offer.quantity - bought
        if quantity <= left:
            return None
        state = f"{bought} units of {self._offer.quantity} were bought, {returned} returned"
        problem = FieldProblem("quantity", f"is above what is left: {state}", str(quantity), f"up to {max(0, left)}")
        return _conflicting(f"{quantity} units cannot be {kind.value}: {state}", problem)

    def _record(self, report: OutcomeReport, quantity: int, now: datetime) -> OutcomeRecord:
        offer = self._offer
        return OutcomeRecord(
            outcome_id=_own_id(report) or self._next_id(report.type),
            shopper_id=offer.shopper_id,
            product_id=offer.product_id,
            currency=offer.currency,
            price_minor=offer.price_minor,
            reference_minor=offer.reference_minor,
            type=report.type,
            quantity=quantity,
            at=report.at.astimezone(UTC) if report.at is not None else self._next_moment(report.type, now),
            quote_id=offer.id,
            propensity=offer.propensity,
            rating=report.rating,
        )

    def _next_id(self, kind: OutcomeType) -> str:
        """An id that no outcome of the quote has; the first of a type is named by the type alone."""
        base, number = f"{self._offer.id}:{kind}", 1
        taken = {one.outcome_id for one in self._all}
        found = base
        while found in taken:
            number += 1
            found = f"{base}:{number}"
        return found

    def _next_moment(self, kind: OutcomeType, now: datetime) -> datetime:
        """Now, but not before what it follows, and at no other outcome's moment: sales are told apart by theirs."""
        first = self._bought_at if kind in _AFTER_SALE else None
        moment = max(now, self._offer.at, first or now)
        taken = {one.at for one in self._all}
        while moment in taken:
            moment += TICK
        return moment

    def _units(self, kind: OutcomeType) -> int:
        return sum(one.quantity for one in self._all if one.type is kind)

    @property
    def _bought_at(self) -> datetime | None:
        return min((one.at for one in self._all if one.type is _PURCHASED), default=None)

    @property
    def _all(self) -> tuple[OutcomeRecord, ...]:
        return (*self._stored, *self.fresh)


def _own_id(report: OutcomeReport) -> str | None:
    """The id under which a report with an id of its own is stored: a digest, as the shop's may name a person."""
    if report.outcome_id is not None:
        name = f"id:{report.outcome_id}"
    elif report.attempt_id is not None:
        name = f"attempt:{report.attempt_id}"
    else:
        return None
    return f"{report.quote_id}:{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def _content(outcome: OutcomeRecord, at: datetime | None) -> tuple[OutcomeType, int, datetime | None]:
    """Content that tells outcomes without ids apart; the moment only where the report gives one."""
    return outcome.type, outcome.quantity, None if at is None else outcome.at


def _named(outcome: OutcomeRecord) -> str:
    return f"{outcome.type.value} {outcome.quantity} at {outcome.at.isoformat(timespec='seconds')}"


def _conflicting(detail: str, problem: FieldProblem) -> Refusal:
    return Refusal(409, "outcome-conflict", detail, (problem,))


def _rated_alike(known: OutcomeRecord, report: OutcomeReport) -> OutcomeRecord | Refusal:
    """The known outcome, or a refusal where the report adds a rating to it."""
    if report.rating is None or report.rating == known.rating:
        return known
    problem = FieldProblem("rating", "comes after its outcome", f"{report.rating:g}", "type rated, for a later rating")
    return _conflicting(f"{_named(known)} is stored without this rating; remedy: report type rated", problem)


def _misrated(report: OutcomeReport) -> Refusal:
    allowed = "1 to 5 with rated, purchased or returned"
    reason = "is missing" if report.rating is None else "cannot be of an offer that was declined"
    problem = FieldProblem("rating", reason, "" if report.rating is None else f"{report.rating:g}", allowed)
    return Refusal(422, "outcome-invalid", f"the rating {reason}; allowed: {allowed}", (problem,))


def _misdated(reason: str, at: datetime) -> Refusal:
    problem = FieldProblem.of_reason("at", reason, at.isoformat())
    return Refusal(422, "outcome-invalid", f"the outcome {reason}", (problem,))
