"""Prior price of an announced price reduction: Directive 98/6/EC, Article 6a.

The prior price is the lowest price open to everybody in the days before the reduction began. It stays the same while
the reduction lasts, however long that is. A reduction begins when the price falls to its present level; a further
reduction is a new one, measured from the level before it. A rise is no reduction, whatever was charged earlier.

The log of applied prices holds two kinds of changes, in order: shelf prices (list prices of the catalogue, open to
everybody until the next one) and offers (prices of quotes made without personal data, which need not be repeated). A
shelf price is announced from the moment when the shelf last fell to it. A lower price is announced from the moment
when it was first offered without any other public price since, or else from now. Both count into the prior price.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.domain.decision import Decision, Reduction
from agent.domain.records import MOST_OFFERS, AppliedPrice

LOOK_BACK: Final = timedelta(days=800)
"""Span of the log that is read; reductions that began earlier are not announced."""


def reduction(applied: Sequence[AppliedPrice], price_minor: int, now: datetime, days: int) -> Reduction | None:
    """The price reduction that a price may be announced as; None when the log proves none.

    Args:
        applied: Log of the product in the currency, oldest first.
        price_minor: Present price, minor units.
        now: Only prices applied until this moment count.
        days: Days before the reduction whose lowest price is the prior price.
    """
    log = [one for one in applied if one.at <= now]
    shelf = next((one.price_minor for one in reversed(log) if not one.offer), None)
    if shelf is None or price_minor > shelf:
        return None
    first = _shelf_began(log) if price_minor == shelf else _offer_began(log, price_minor)
    if first < len(log) and log[first].offer and _is_full(log, log[first].at):
        return None
    began = log[first].at if first < len(log) else now
    prior = _lowest(log[:first], began, days)
    if prior is None or prior <= price_minor:
        return None
    return Reduction(prior, began, days, 100 * (prior - price_minor) // prior)


def public_prices(decision: Decision) -> tuple[AppliedPrice, ...]:
    """Prices of one unit open to everybody in a quote of a catalogue's product at its list price.

    The shelf price always; the quoted one where no personal data set it and it is for one unit.
    """
    if decision.product_id is None:
        return ()
    shelf = AppliedPrice(decision.product_id, decision.currency, decision.reference_minor, decision.at)
    if decision.personalised or decision.quantity > 1:
        return (shelf,)
    offer = AppliedPrice(decision.product_id, decision.currency, decision.price_minor, decision.at, offer=True)
    return shelf, offer


def lowest_before(applied: Sequence[AppliedPrice], moment: datetime, days: int) -> int | None:
    """The lowest price of the days before a moment, with the one in force as they began; None when unknown."""
    return _lowest([one for one in applied if one.at < moment], moment, days)


def _shelf_began(log: Sequence[AppliedPrice]) -> int:
    """Index of the row from which the present shelf price applies without a break."""
    first = len(log)
    for row in range(len(log) - 1, -1, -1):
        if log[row].offer:
            continue
        if first < len(log) and log[row].price_minor != log[first].price_minor:
            break
        first = row
    return first


def _offer_began(log: Sequence[AppliedPrice], price_minor: int) -> int:
    """Index of the row from which a price is offered without another public price since; beyond the log for now."""
    first = len(log)
    while first and log[first - 1].offer and log[first - 1].price_minor == price_minor:
        first -= 1
    return first


def _is_full(log: Sequence[AppliedPrice], at: datetime) -> bool:
    """Whether the log may lack offers of a day, so that it cannot tell how long one stood."""
    day = at.astimezone(UTC).date()
    return sum(one.offer and one.at.astimezone(UTC).date() == day for one in log) >= MOST_OFFERS


def _lowest(before: Sequence[AppliedPrice], moment: datetime, days: int) -> int | None:
    """The lowest of these prices that applied at some time in the days before a moment."""
    opening = moment - timedelta(days=days)
    earlier = [row for row, one in enumerate(before) if one.at <= opening]
    shelf = [row for row in earlier if not before[row].offer][-1:]
    in_force = {*shelf, *earlier[-1:]}
    return min(
        (one.price_minor for row, one in enumerate(before) if one.at >= opening or row in in_force), default=None
    )
