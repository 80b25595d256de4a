"""Limits of a product against each other: what contradicts is refused at every door, what is doubtful is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.domain.money import show
from agent.domain.records import ProductRecord

CENTS_FACTOR: Final = 5
"""A cost of so many list prices is taken for an amount in another unit."""

_FIELDS: Final = {
    "list_price": "list_minor",
    "cost": "cost_minor",
    "min_price": "floor_minor",
    "max_price": "ceiling_minor",
    "map_price": "map_minor",
}
_NEVER_ABOVE: Final = (
    ("min_price", "max_price", "no price is within both"),
    ("map_price", "max_price", "no price is within both"),
    ("map_price", "list_price", "the list price could not be advertised"),
    ("min_price", "list_price", "the list price could not be charged"),
)
_DOUBTFUL_ABOVE: Final = (
    ("cost", "list_price", "every sale is a loss; quotes hold the list price"),
    ("cost", "max_price", "no price up to max_price covers the cost"),
    ("list_price", "max_price", "the list price is never quoted"),
)


@dataclass(frozen=True, slots=True)
class LimitProblem:
    """Two amounts of a product that do not fit, as names of fields.

    Attributes:
        field, other: The higher amount and the one that it should not exceed.
        amount_minor: Amount of `field`.
        message: What is wrong, with both amounts.
        allowed: What would be right.
    """

    field: str
    other: str
    amount_minor: int
    message: str
    allowed: str


def contradictions(product: ProductRecord) -> list[LimitProblem]:
    """Problems for which a product is refused."""
    found = [_problem(product, high, low, why) for high, low, why in _exceeding(product, _NEVER_ABOVE)]
    if is_cost_in_cents(product):
        why = "the cost is probably in another unit, such as cents"
        remedy = (
            f"{_shown(product, 'list_price')} up to {CENTS_FACTOR} times that; without a cost set min_price instead"
        )
        found.append(_problem(product, "cost", "list_price", why, remedy))
    return found


def doubts(product: ProductRecord, step_minor: int = 1) -> list[LimitProblem]:
    """Problems that a merchant should hear of, though the product is taken; `step_minor` is the payable step."""
    found = [
        _problem(product, high, low, why)
        for high, low, why in _exceeding(product, _DOUBTFUL_ABOVE)
        if high != "cost" or not is_cost_in_cents(product)
    ]
    listed = product.list_minor
    if listed is not None and listed % step_minor:
        message = f"list_price {show(listed, product.currency)} cannot be paid; quotes round it down"
        allowed = f"multiples of {show(step_minor, product.currency)}"
        found.append(LimitProblem("list_price", "list_price", listed, message, allowed))
    return found


def _exceeding(product: ProductRecord, pairs: tuple[tuple[str, str, str], ...]) -> Iterator[tuple[str, str, str]]:
    for high, low, why in pairs:
        above, below = _minor(product, high), _minor(product, low)
        if above is not None and below is not None and above > below:
            yield high, low, why


def is_cost_in_cents(product: ProductRecord) -> bool:
    """Check whether a product's cost is so far above its list price that it is taken for an amount in another unit."""
    cost, listed = product.cost_minor, product.list_minor
    return cost is not None and listed is not None and cost >= CENTS_FACTOR * listed


def _problem(product: ProductRecord, high: str, low: str, why: str, allowed: str = "") -> LimitProblem:
    message = f"{high} {_shown(product, high)} is above {low} {_shown(product, low)}: {why}"
    at_most = f"at most {low}, {_shown(product, low)}"
    return LimitProblem(high, low, _minor(product, high) or 0, message, allowed or at_most)


def _minor(product: ProductRecord, field: str) -> int | None:
    found: int | None = getattr(product, _FIELDS[field])
    return found


def _shown(product: ProductRecord, field: str) -> str:
    return show(_minor(product, field) or 0, product.currency)
