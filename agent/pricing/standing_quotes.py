"""Standing quotes: a request made again while its quote lives is answered with that very quote.

Its price would be found again by all seven steps as long as nothing has changed that the limits read. So the answer is
remembered with all of that, and given again after one read of the store, which other processes write too. Anything
that differs leads to the seven steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from agent.domain.clock import StoreClock
from agent.domain.decision import Decision, GuardAction, HeldReason
from agent.domain.records import ProductRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.past_quotes import quote_key
from agent.rules.book import RuleBook
from agent.rules.effective_rules import MerchantRules
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import binding, legal_day
from agent.state.catalogue import Catalogue
from agent.store import QuoteKey, Store
from agent.store.live_quotes import MOST_REMEMBERED, Standing
from agent.store.recent_map import RecentMap


@dataclass(frozen=True, slots=True)
class Priced:
    """An answer; `again` when it is an earlier quote that stands, of which nothing was recorded anew."""

    answer: Decision | Refusal
    again: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """State that decides, beside the store, whether an answer stands."""

    catalogue: Catalogue
    rules: RuleBook
    kill_switch: KillSwitch
    clock: StoreClock


@dataclass(frozen=True, slots=True)
class _Facts:
    """Facts that the limits read beside the request; answers stand as long as it is equal.

    Attributes:
        product: The catalogue's record itself, which a change replaces.
        reference_minor: The catalogue's reference price.
        day: Of the law of the request's place.
        record: Profile and consent of the shopper as stored.
    """

    rules: int
    product: ProductRecord | None
    reference_minor: int | None
    day: date
    record: tuple[str, bool] | None

    def same(self, other: "_Facts") -> bool:
        """Check whether they are equal, the product being the same object."""
        return (
            self.product is other.product
            and self.rules == other.rules
            and self.reference_minor == other.reference_minor
            and self.day == other.day
            and self.record == other.record
        )


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer, and what led to it; `live` are the quotes of which one must be live."""

    request: QuoteRequest
    facts: _Facts
    decision: Decision
    live: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Answers that stand, in the order of the requests, None where there is none; and what was read to find them."""

    answers: Sequence[Decision | None]
    facts: Mapping[int, tuple[QuoteKey, _Facts, Standing]]
    clearings: int


class StandingQuotes:
    """Remembers answers of known shoppers for known products. Safe for several threads."""

    def __init__(self, store: Store, sources: Sources, *, stable: bool) -> None:
        """`stable` as in `PastQuotes`: without it nothing is remembered."""
        self._store = store
        self._sources = sources
        self._stable = stable
        self._known: RecentMap[QuoteKey, _Answered] = RecentMap(MOST_REMEMBERED)

    def find(self, requests: Sequence[QuoteRequest], now: datetime) -> Found:
        """Answers that stand at a moment; one read of the store.

        Raises:
            StoreUnavailable: The store does not answer.
        """
        clearings = self._known.clearings
        answers: list[Decision | None] = [None] * len(requests)
        keys = {row: key for row, one in enumerate(requests) if (key := _key(one)) is not None}
        if not self._stable or not keys or self._sources.kill_switch.state() is not None:
            return Found(answers, {}, clearings)
        rules = self._sources.rules.current(now)
        if rules.caps_spread:  # prices shown lately enter, and leave their span with time
            return Found(answers, {}, clearings)
        stored = self._store.standing(dict.fromkeys(keys.values()), now)
        facts = {}
        for row, key in keys.items():
            read = self._facts(requests[row], rules, stored[key], now)
            if read is None:
                continue
            facts[row] = (key, read, stored[key])
            known = self._known.get(key)
            if known is not None and _stands(known, requests[row], facts[row], rules):
                answers[row] = known.decision
        return Found(answers, facts, clearings)

    def remember(
        self, requests: Sequence[QuoteRequest], found: Found, priced: Mapping[int, Decision | Refusal]
    ) -> None:
        """Remember the answers that the seven steps gave to requests without one, by row of `found`."""
        for row, answer in priced.items():
            if row not in found.facts or not isinstance(answer, Decision) or not _may_stand(answer):
                continue
            key, facts, stored = found.facts[row]
            live = (answer.id,) if stored.live is None else (answer.id, stored.live[0])
            self._known.put(key, _Answered(requests[row], facts, answer, live), found.clearings)

    def forget(self) -> None:
        """Forget everything, after personal data was erased."""
        self._known.clear()

    def _facts(self, request: QuoteRequest, rules: MerchantRules, stored: Standing, now: datetime) -> _Facts | None:
        """Facts that the limits read; None where a law bounds the price by what may change otherwise."""
        catalogue, place = self._sources.catalogue, request.context.jurisdiction
        product = catalogue.product(request.product.id or "")
        day = legal_day(place, now)
        category = request.product.category or (product.category if product is not None else "")
        consent = request.shopper.higher_price_consent is not None
        law = binding(place, category, day, consent=consent)
        if law.parity is not None or law.no_personal_prices is not None:
            return None
        reference = None
        if product is not None and request.product.list_price is None:
            found = catalogue.reference_minor(product, self._sources.clock.behaviour_time(now).timestamp())
            reference = round(found) if found >= 1 else None
        return _Facts(rules.version, product, reference, day, stored.record)


_CHOSEN: Final = (None, HeldReason.NO_TIME, HeldReason.NOTHING_BETTER, HeldReason.NOT_SURE, HeldReason.CONTROL)


def _key(request: QuoteRequest) -> QuoteKey | None:
    """Key of a request whose answer may stand; none with a moment of its own."""
    return None if request.context.at is not None else quote_key(request)


def _may_stand(decision: Decision) -> bool:
    """Check whether a price is one that becomes live: chosen, not held."""
    return decision.held in _CHOSEN and decision.guard is not GuardAction.HELD


def _stands(
    known: _Answered, request: QuoteRequest, read: tuple[QuoteKey, _Facts, Standing], rules: MerchantRules
) -> bool:
    _, facts, stored = read
    if stored.live is None or not known.facts.same(facts) or not _is_same(known.request, request):
        return False
    if rules.limits_change and stored.latest != known.decision.id:  # the last price is another one
        return False
    quote_id, price_minor, currency = stored.live
    decision = known.decision
    return quote_id in known.live and (price_minor, currency) == (decision.price_minor, decision.currency)


def _is_same(one: QuoteRequest, other: QuoteRequest) -> bool:
    """Check whether requests ask the same, whatever their deadlines, times of arrival and ids."""
    return (
        one.product == other.product
        and one.product.model_fields_set == other.product.model_fields_set
        and one.shopper == other.shopper
        and one.context == other.context
        and one.events == other.events
        and one.limits == other.limits
        and one.quantity == other.quantity
    )
