"""Competitors' prices: those that the law of the place lets enter a price.

Where a law asks for a record of competitors' data (California), a price is used only if the request says where it comes
from and that it is public. Elsewhere all are used, and their source is recorded where it is told.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from agent.domain.decision import IgnoredInput
from agent.domain.request import CompetitorPrice
from agent.rules.packs import law_of

INPUT: Final = "context.competitor_prices"


@dataclass(frozen=True, slots=True)
class UsablePrices:
    """Prices that may be used, and why others may not, one line a reason."""

    kept: tuple[CompetitorPrice, ...]
    ignored: tuple[IgnoredInput, ...]

    @property
    def lowest_minor(self) -> int | None:
        """The cheapest that may be used; None without one."""
        return min((price.amount_minor for price in self.kept), default=None)


def usable_prices(prices: Sequence[CompetitorPrice], place: str | None, day: date) -> UsablePrices:
    """Split a request's competitor prices by what the law of the place asks for."""
    law = law_of(place, day)
    if not prices or not law.competitor_record:
        return UsablePrices(tuple(prices), ())
    lacks = [_lacks(price) for price in prices]
    wanted = f"in {law.label} a price is used only with its source, and where it is public"
    return UsablePrices(
        tuple(price for price, why in zip(prices, lacks, strict=True) if why is None),
        tuple(
            IgnoredInput(INPUT, f"{count} of {len(prices)}: {why}; {wanted}")
            for why, count in Counter(lacks).items()
            if why is not None
        ),
    )


def _lacks(price: CompetitorPrice) -> str | None:
    if not price.source:
        return "its `source` is not told" if price.public is not None else "its `source` and `public` are not told"
    if price.public is None:
        return "whether it is `public` is not told"
    return None if price.public else "it is not public"
