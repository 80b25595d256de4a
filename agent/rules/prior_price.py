"""Prior price of an announced price reduction: Directive 98/6/EC, Article 6a.

The prior price is the lowest price open to everybody in the days before the reduction began. It stays the same while
the reduction lasts, however long that is. A reduction begins when the price last fell to its present level; a further
reduction is a new one, measured from the level before it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.domain.decision import Reduction
from agent.domain.records import AppliedPrice

LOOK_BACK: Final = timedelta(days=800)
"""Span of the log that is read; reductions that began earlier are not announced."""


def reduction(applied: Sequence[AppliedPrice], price_minor: int, now: datetime, days: int) -> Reduction | None:
    """The price reduction that a price may be announced as; None when the log proves none.

    Args:
        applied: Applied prices of the product in the currency.
        price_minor: Present price, minor units.
        now: Only prices applied before this moment count.
        days: Days before the reduction whose lowest price is the prior price.
    """
    earlier = sorted((one for one in applied if one.at < now), key=lambda one: one.at)
    dearer = [row for row, one in enumerate(earlier) if one.price_minor > price_minor]
    if not dearer:
        return None
    since_then = earlier[dearer[-1] + 1 :]
    began = since_then[0].at if since_then else now
    prior = lowest_before(earlier, began, days)
    if prior is None or prior <= price_minor:
        return None
    return Reduction(prior, began, days, 100 * (prior - price_minor) // prior)


def lowest_before(applied: Sequence[AppliedPrice], moment: datetime, days: int) -> int | None:
    """The lowest price of the days before a moment, with the one in force as they began; None when unknown."""
    opening = moment - timedelta(days=days)
    before = sorted((one for one in applied if one.at < moment), key=lambda one: one.at)
    in_force_then = [one for one in before if one.at < opening][-1:]
    within = [one for one in before if one.at >= opening]
    return min((one.price_minor for one in [*in_force_then, *within]), default=None)
