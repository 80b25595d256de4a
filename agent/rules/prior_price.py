"""What an announced price reduction may be measured from: Directive 98/6/EC, Article 6a.

The prior price is the lowest price that everybody could pay in the days before the reduction began. It is anchored
there: while the reduction lasts its own price does not become the measure, however long that is. A reduction began
when the price last fell to what it is now; a further step down begins anew, and is measured from the step before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.domain.decision import Reduction
from agent.domain.records import AppliedPrice

LOOK_BACK: Final = timedelta(days=800)
"""How much of the log is read: reductions that began longer ago are not announced as such."""


def reduction(applied: Sequence[AppliedPrice], price_minor: int, now: datetime, days: int) -> Reduction | None:
    """The reduction that a price is now; None when there is none, or none that the log can prove.

    Args:
        applied: The log of the product in the price's currency.
        price_minor: What is asked now.
        now: Only what was applied before counts.
        days: Length of the time before the reduction whose lowest price is the prior one.
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
    """The lowest price of the days before a moment, that in force as they began included; None where none is known."""
    opening = moment - timedelta(days=days)
    before = sorted((one for one in applied if one.at < moment), key=lambda one: one.at)
    in_force_then = [one for one in before if one.at < opening][-1:]
    within = [one for one in before if one.at >= opening]
    return min((one.price_minor for one in [*in_force_then, *within]), default=None)
