"""Reports of sales: what a shop told of each after it, as labels of one kind of evidence each.

- Returns, where the shop reported any: 0 if the sale was returned, 1 if not. A sale younger than the window is not
  known, even one that was returned: returns show before their absence does.
- Ratings r of 1 to 5: (r - 1) / 4. Where the shop reports returns, of sales that were not returned.
- Repurchases, where neither is reported: whether the shopper bought the product again within the window. They tell
  nothing of how many are content (a fridge is bought once), only whether those who paid more are less.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

Ints = NDArray[np.int64]

WINDOW_S: Final = 8 * 7 * 86_400.0
LEAST_OF_EACH: Final = 50
"""Least number of repurchases, and of sales without one, for repurchases to count."""


class Evidence(StrEnum):
    """Kind of report."""

    RETURNS = "returns"
    RATINGS = "ratings"
    REPURCHASES = "repurchases"


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales of a shop as columns, `(n,)` each.

    Attributes:
        names: Product id and category by product number.
        shopper: Number of the shopper, -1 if unknown.
        log_ratio: log(price paid / reference).
        returned: 1 if a return was reported, else 0. `rating`: 1-5, nan without one.
        end_s: Unix seconds of the latest outcome of the shop, sale or not.
    """

    names: tuple[tuple[str, str], ...]
    product: Ints
    shopper: Ints
    at_s: Floats
    log_ratio: Floats
    returned: Floats
    rating: Floats
    end_s: float

    @property
    def is_over(self) -> NDArray[np.bool_]:
        """Sales whose window is over."""
        return np.asarray(self.at_s + WINDOW_S <= self.end_s)


@dataclass(frozen=True, slots=True)
class Reports:
    """Labels of one kind: rows of the sales and how content each was, 0-1."""

    evidence: Evidence
    rows: Ints
    content: Floats


def reports_of(sales: Sales) -> list[Reports]:
    """Labels by kind of evidence; none where the shop reported nothing."""
    return [one for one in _told(sales) if len(one.rows)] or list(_repurchases(sales))


def _told(sales: Sales) -> Iterator[Reports]:
    returns = bool((sales.returned > 0).any())
    if returns:
        known = np.flatnonzero(sales.is_over)
        yield Reports(Evidence.RETURNS, known, 1.0 - sales.returned[known])
    rated = np.flatnonzero(~np.isnan(sales.rating) & (sales.returned == 0))
    yield Reports(Evidence.RATINGS, rated, (sales.rating[rated] - 1.0) / 4.0)


def _repurchases(sales: Sales) -> Iterator[Reports]:
    known = np.flatnonzero(sales.is_over & (sales.shopper >= 0))
    again = bought_again(sales)[known]
    if min(again.sum(), len(again) - again.sum()) >= LEAST_OF_EACH:
        yield Reports(Evidence.REPURCHASES, known, again)


def bought_again(sales: Sales) -> Floats:
    """Mark sales whose shopper bought the product again within the window, 1 or 0 `(n,)`; 0 where not known."""
    order = np.lexsort((sales.at_s, sales.product, sales.shopper))
    shopper, product, at_s = sales.shopper[order], sales.product[order], sales.at_s[order]
    found = np.zeros(len(order))
    if len(order) < 2:
        return found
    same = (shopper[1:] == shopper[:-1]) & (product[1:] == product[:-1]) & (shopper[1:] >= 0)
    # a second line of one moment is the same purchase: the next later moment counts
    later = np.full(len(order), np.inf)
    for place in np.flatnonzero(same)[::-1].tolist():
        later[place] = at_s[place + 1] if at_s[place + 1] > at_s[place] else later[place + 1]
    found[order] = later - at_s <= WINDOW_S
    return found
