"""Inputs that enter a decision and those that do not, with the reason; the request as it entered."""

from collections.abc import Iterator
from typing import Final

from agent.domain.decision import IgnoredInput
from agent.domain.records import ProductRecord
from agent.domain.request import Context, Personalisation, QuoteRequest, Shopper
from agent.pricing.effect_terms import word_traits
from agent.pricing.situation import Visit

OPTED_OUT: Final = "personalisation is off"
_CONTEXT_USED: Final = ("inventory", "market_trend", "season", "deadline", "jurisdiction")
_ALWAYS: Final = ("market.past_outcomes", "similar_products", "quantity")


class EnteredInputs:
    """Inputs of one visit, whatever the product.

    Attributes:
        ignored: Inputs that were given and did not enter.
    """

    def __init__(self, request: QuoteRequest, visit: Visit) -> None:
        """`request` is any request of the visit."""
        self._visit = visit
        self._context = request.context
        self._personal = tuple(_personal(request, visit))
        self._words = tuple(t.name for t in word_traits("context", dict(sorted(visit.words.attributes.items()))))
        self._used: dict[tuple[bool, bool, bool], tuple[str, ...]] = {}
        self._kept = _kept(request, visit)
        self.ignored = tuple(_ignored(request, visit))

    def used(self, product: ProductRecord, *, rated: bool) -> tuple[str, ...]:
        """Names of the inputs that enter for a product, in a fixed order; `rated` where the request tells a rating."""
        stocked = self._context.inventory is not None or product.inventory is not None
        key = (product.cost_minor is not None, rated, stocked)
        found = self._used.get(key)
        if found is None:
            found = self._used[key] = tuple(self._names(*key))
        return found

    def kept(self, request: QuoteRequest) -> QuoteRequest:
        """The request as it entered: sent again, it leads to the same observation."""
        return request.with_parts(self._kept)

    def _names(self, costed: bool, rated: bool, stocked: bool) -> Iterator[str]:
        yield "product.list_price"
        if costed:
            yield "product.cost"
        if rated:
            yield "product.rating"
        yield from self._personal
        given = {
            "inventory": stocked,
            "competitor_prices": bool(self._visit.rivals.kept),
            "market_trend": self._context.market_trend is not None,
            "promotion": self._visit.promotion is not None,
            "season": True,
            "deadline": self._context.deadline is not None,
        }
        yield from (f"context.{name}" for name, present in given.items() if present)
        yield from self._words
        yield from _ALWAYS


def _personal(request: QuoteRequest, visit: Visit) -> Iterator[str]:
    """Names of the shopper's inputs; none of one who opted out."""
    who = visit.shopper
    if who.opted_out:
        return
    yield from (f"profile.{name}" for name in sorted(who.screened.attributes))
    if who.screened.text:
        yield "profile"
    if who.has_history:
        yield "purchase_history"
    if request.events:
        yield "session_events"


def _ignored(request: QuoteRequest, visit: Visit) -> Iterator[IgnoredInput]:
    who = visit.shopper
    yield from who.screened.ignored
    yield from who.event_ignored
    if who.opted_out:
        for name, present in (("profile", request.shopper.profile), ("events", request.events)):
            if present:
                yield IgnoredInput(name, OPTED_OUT)
    yield from (IgnoredInput(f"context.{one.input}", one.reason) for one in visit.words.ignored)
    yield from visit.rivals.ignored


def _kept(request: QuoteRequest, visit: Visit) -> dict[str, object]:
    """The parts of a request that enter in another form than they came in."""
    who = visit.shopper
    entering = {name: getattr(request.context, name) for name in _CONTEXT_USED}
    entering["promotion"] = visit.promotion
    prices = {"competitor_prices": list(visit.rivals.kept), "at": visit.at}
    return {
        "shopper": Shopper(
            id=who.shopper_id,
            profile=who.screened.text or dict(who.screened.attributes),
            personalisation=Personalisation.OFF if who.opted_out else Personalisation.ON,
            higher_price_consent=request.shopper.higher_price_consent,
        ),
        "events": list(who.events),
        "context": Context(**{**entering, **visit.words.attributes, **prices}),
        "deadline_ms": None,
    }
