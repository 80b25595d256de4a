"""Price, share above the reference price and consumer surplus by group, with intervals over shoppers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.off_policy.intervals import Estimate, Terms, bootstrap
from models.arrays import Floats


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes of a shop, arrays `(n,)`.

    Attributes:
        shopper: Number of the shopper.
        price: Price divided by the reference price.
        surplus: Expected consumer surplus divided by the reference price.
        groups: Group of each quote's shopper, by grouping; an empty string if unknown.
    """

    shopper: NDArray[np.int64]
    price: Floats
    surplus: Floats
    groups: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class GroupLine:
    """Results of one group; gaps are relative to all others whose group is known, from the same resamples."""

    where: str
    grouping: str
    group: str
    quotes: int
    price: Estimate
    price_gap: Estimate
    above: Estimate
    surplus: Estimate
    surplus_gap: Estimate


def by_group(where: str, quotes: Quotes) -> list[GroupLine]:
    """Compute one line per group of each grouping."""
    return [
        _line(where, quotes, grouping, group)
        for grouping, labels in quotes.groups.items()
        for group in sorted({label for label in labels if label})
    ]


def _line(where: str, quotes: Quotes, grouping: str, group: str) -> GroupLine:
    labels = np.asarray(quotes.groups[grouping])
    known = labels != ""
    inside = (labels[known] == group).astype(np.float64)
    shopper, price, surplus = quotes.shopper[known], quotes.price[known], quotes.surplus[known]
    above = (price > 1.0 + 1e-9).astype(np.float64)

    def mean(values: Floats) -> Estimate:
        return bootstrap(Terms(values * inside, inside), shopper)

    def gap(values: Floats) -> Estimate:
        outside = 1.0 - inside
        return bootstrap(Terms(values * inside, inside), shopper, less=Terms(values * outside, outside))

    return GroupLine(
        where,
        grouping,
        group,
        quotes=int(inside.sum()),
        price=mean(price),
        price_gap=gap(price),
        above=mean(above),
        surplus=mean(surplus),
        surplus_gap=gap(surplus),
    )


def surplus_under(ratios: Sequence[Floats], probabilities: Sequence[Floats]) -> Floats:
    """Integrate each demand curve by the trapezoidal rule; ratios and probabilities of a curve are `(k,)`."""
    return np.asarray([np.trapezoid(y, x) for x, y in zip(ratios, probabilities, strict=True)])
