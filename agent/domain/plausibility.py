"""Checks of one event, outcome or product against what is known of the product.

Two kinds of result. A `refusal` text: the row cannot be true (a date ahead of the clock) or cannot be used (a price in
another currency than its product's). A `Suspicion`: the row may be true, but is probably wrong, such as a price in
cents where the product's is in euros. Bounds are generous, as a suspicious row costs a merchant's attention: clearance
at a tenth of the price, a gift at 0.01 and a price of four times the reference pass.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import log10
from typing import Final

from agent.domain.fields import MAX_AHEAD
from agent.domain.money import fraction_digits, show
from agent.domain.product_limits import is_cost_in_cents
from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord

OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
MOST_UNITS: Final = 10_000
# A price may be this many times another, or the other this many times the price.
OVER_REFERENCE: Final = 5
OVER_LIST: Final = 8
REFERENCE_OVER_LIST: Final = 30  # a list price of today may be far below one of years ago
UNDER: Final = 30
_TENFOLD: Final = 0.01  # relative distance from exactly ten times


class Doubt(StrEnum):
    """Kind of suspicion, in the words that reports show."""

    PRICE_REFERENCE = "price against the reference price"
    PRICE_LIST = "price against the list price"
    REFERENCE_LIST = "reference price against the product's list price"
    NEW_LIST = "list price against the stored list price"
    COST = "cost against the list price"
    QUANTITY = "quantity"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A value that is probably wrong, and the one that it was compared with.

    Attributes:
        value, expected: Both for people, such as `1,999.00 EUR`.
        power: Nearest power of ten of value over expected: 2 for about 100 times, -2 for a hundredth; 0 if not a price.
    """

    doubt: Doubt
    product_id: str
    value: str
    expected: str
    power: int = 0


def currency_refusal(product: ProductRecord | None, currency: str | None) -> str | None:
    """Reason why a price in this currency cannot be its product's; None when it can, or the product is unknown."""
    if product is None or currency is None or product.currency == currency:
        return None
    return (
        f"is {currency}, but the product {product.product_id} is sold in {product.currency}; allowed: "
        f"{product.currency}; remedy: convert the prices, or give the product its new currency first"
    )


def future_refusal(at: datetime, now: datetime) -> str | None:
    """Reason why nothing can have happened at a time; None when it is at most a day ahead of `now`."""
    if at <= now + MAX_AHEAD:
        return None
    return f"is in the future; allowed: at most 1 day after now, {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def outcome_suspicion(outcome: OutcomeRecord, product: ProductRecord | None) -> Suspicion | None:
    """The first doubt about an outcome; `product` is None when unknown. Its currency is the product's."""
    list_minor = product.list_minor if product is not None else None
    found = price_suspicion(
        outcome.product_id or "", outcome.currency, outcome.price_minor, outcome.reference_minor, list_minor
    )
    return found or _dated(outcome.product_id or "", outcome.quantity, outcome.at)


def event_suspicion(event: EventRecord, product: ProductRecord | None) -> Suspicion | None:
    """The first doubt about an event, like `outcome_suspicion`."""
    product_id = event.product_id or ""
    if event.currency is not None:
        list_minor = product.list_minor if product is not None else None
        found = price_suspicion(product_id, event.currency, event.price_minor, event.list_minor, list_minor)
        if found is not None:
            return found
    return _dated(product_id, event.quantity, event.at)


def product_suspicion(product: ProductRecord, stored: ProductRecord | None) -> Suspicion | None:
    """The first doubt about a product's new description; `stored` is the present one."""
    price, cost, code = product.list_minor, product.cost_minor, product.currency
    if price is None:
        return None
    before = stored.list_minor if stored is not None and stored.currency == code else None
    if before and _far(price, before, OVER_LIST, code):
        return _suspicion(Doubt.NEW_LIST, product.product_id, code, price, before)
    if cost is not None and is_cost_in_cents(product):
        return _suspicion(Doubt.COST, product.product_id, code, cost, price)
    return None


def price_suspicion(
    product_id: str, currency: str, price: int | None, reference: int | None, list_minor: int | None
) -> Suspicion | None:
    """A doubt about a price and the reference price beside it, both in the product's currency; each may be unknown."""
    if reference and list_minor and reference != list_minor and _stray(reference, list_minor, currency):
        return _suspicion(Doubt.REFERENCE_LIST, product_id, currency, reference, list_minor)
    if price is None:
        return None
    if reference and reference != list_minor:
        if _far(price, reference, OVER_REFERENCE, currency):
            return _suspicion(Doubt.PRICE_REFERENCE, product_id, currency, price, reference)
    elif list_minor and _far(price, list_minor, OVER_LIST, currency):
        return _suspicion(Doubt.PRICE_LIST, product_id, currency, price, list_minor)
    return None


def _dated(product_id: str, quantity: int, at: datetime) -> Suspicion | None:
    if quantity > MOST_UNITS:
        return Suspicion(Doubt.QUANTITY, product_id, f"{quantity:,}", f"at most {MOST_UNITS:,}")
    if at < OLDEST:
        return Suspicion(Doubt.DATE, product_id, f"{at:%Y-%m-%d}", f"{OLDEST:%Y-%m-%d} or later")
    return None


def _far(value: int, against: int, most: int, currency: str) -> bool:
    """Check whether a value is `most` times another or more, or below a thirtieth; gifts and 1.00 are no errors."""
    return value >= most * against or (value * UNDER < against and not _is_symbolic(value, currency))


def _stray(reference: int, list_minor: int, currency: str) -> bool:
    tenfold = abs(reference - 10 * list_minor) <= _TENFOLD * 10 * list_minor
    return tenfold or _far(reference, list_minor, REFERENCE_OVER_LIST, currency)


def _is_symbolic(minor: int, currency: str) -> bool:
    return minor <= 1 or minor == 10 ** fraction_digits(currency)


def _suspicion(doubt: Doubt, product_id: str, currency: str, value: int, against: int) -> Suspicion:
    power = round(log10(value / against))
    return Suspicion(doubt, product_id, show(value, currency), show(against, currency), power)
