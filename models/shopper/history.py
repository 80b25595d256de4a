"""State of one shopper: a fold over the shopper's events in time order.

Training and quotes use the same class, so features depend only on events before the moment they are computed for.
Counts decay exponentially with the time constants `DECAYS_S`.
"""

import dataclasses
import math
from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Final

from models.shopper.tallies import Tallies, Tally
from models.shopper.weeks import HOUR_S, WEEK_S

TRIP_GAP_S: Final = 6 * HOUR_S
SESSION_S: Final = 24 * HOUR_S
RECENT: Final = 24
INTENT: Final = {
    "view": 0.5,
    "click": 0.5,
    "search": 0.3,
    "wishlist": 1.0,
    "add_to_cart": 2.0,
    "remove_from_cart": -1.5,
}
DECLINE: Final = "decline"
_DEAL_RATIO: Final = 0.97
_ITEM_HALF_LIFE_S: Final = 8 * WEEK_S


@dataclass(frozen=True, slots=True)
class Act:
    """One event of a shopper; `price_ratio` is the price paid over the reference at that time, 1 when unknown."""

    type: str
    at_s: float
    product: str
    category: str
    brand: str
    price_ratio: float = 1.0
    price_minor: int | None = None
    currency: str = ""
    text: str = ""


@dataclass(slots=True)
class ShopperHistory:
    """State of one shopper; `observe` must be called in time order, and readers take the time they read at.

    Attributes:
        ratio_sum: Sum of the log price ratios of all purchases.
        recent: Latest purchases. `session`: latest other events, but for declined offers.
        declined, declined_categories, declines: Offers that the shopper saw and left, by product, category, and all.
    """

    products: Tallies = field(default_factory=dict)
    categories: Tallies = field(default_factory=dict)
    brands: Tallies = field(default_factory=dict)
    items: Tally = field(default_factory=Tally)
    trips: Tally = field(default_factory=Tally)
    deals: Tally = field(default_factory=Tally)
    ratio_sum: float = 0.0
    recent: deque[Act] = field(default_factory=lambda: deque(maxlen=RECENT))
    session: deque[Act] = field(default_factory=lambda: deque(maxlen=RECENT))
    declined: Tallies = field(default_factory=dict)
    declined_categories: Tallies = field(default_factory=dict)
    declines: Tally = field(default_factory=Tally)

    @property
    def known(self) -> bool:
        """Whether any event was observed."""
        return bool(self.recent or self.session or self.declines.times)

    def followed_by(self, acts: Sequence[Act]) -> "ShopperHistory":
        """Return a new history with later events added; unchanged parts are shared with this one."""
        later = dataclasses.replace(self, session=self.session.copy())
        bought = [act for act in acts if act.type == "purchase"]
        if bought:
            later = dataclasses.replace(
                later,
                products=_unshared(self.products, {act.product for act in bought}),
                categories=_unshared(self.categories, {act.category for act in bought}),
                brands=_unshared(self.brands, {act.brand for act in bought}),
                items=copy(self.items),
                trips=copy(self.trips),
                deals=copy(self.deals),
                recent=self.recent.copy(),
            )
        left = [act for act in acts if act.type == DECLINE]
        if left:
            later = dataclasses.replace(
                later,
                declined=_unshared(self.declined, {act.product for act in left}),
                declined_categories=_unshared(self.declined_categories, {act.category for act in left}),
                declines=copy(self.declines),
            )
        for act in acts:
            later.observe(act)
        return later

    def observe(self, act: Act) -> None:
        """Add one event."""
        log_ratio = math.log(min(3.0, max(0.1, act.price_ratio)))
        if act.type == DECLINE:
            self.declines.add(act.at_s, log_ratio)
            _count(self.declined, act.product, act.at_s, log_ratio)
            _count(self.declined_categories, act.category, act.at_s, log_ratio)
            return
        if act.type != "purchase":
            self.session.append(act)
            return
        if self.trips.times == 0 or act.at_s - self.trips.last_s > TRIP_GAP_S:
            self.trips.add(act.at_s, 0.0)
        self.items.add(act.at_s, log_ratio)
        self.ratio_sum += log_ratio
        if act.price_ratio < _DEAL_RATIO:
            self.deals.add(act.at_s, log_ratio)
        for tallies, key in ((self.products, act.product), (self.categories, act.category), (self.brands, act.brand)):
            _count(tallies, key, act.at_s, log_ratio)
        if act.product:
            product = self.products[act.product]
            product.last_price_minor, product.last_currency = act.price_minor, act.currency
        self.recent.append(act)

    def intent(self, product: str, category: str, at_s: float) -> float:
        """Sum of `INTENT` over this session's events on a product, and a quarter of it on its category; 0-4."""
        total = 0.0
        for act in self.session:
            if 0 <= at_s - act.at_s <= SESSION_S:
                if product and act.product == product:
                    total += INTENT.get(act.type, 0.0)
                elif category and act.category == category:
                    total += 0.25 * INTENT.get(act.type, 0.0)
        return min(4.0, max(0.0, total))

    def loyalty(self, category: str, at_s: float) -> str:
        """Loyalty to a category: `new`, `occasional`, `regular` or `lapsed`."""
        tally = self.categories.get(category)
        if tally is None:
            return "new"
        if at_s - tally.last_s > 12 * WEEK_S or tally.due(at_s) >= 3.0:
            return "lapsed"
        return "regular" if tally.times >= 4 else "occasional"


def _count(tallies: Tallies, key: str, at_s: float, log_ratio: float) -> None:
    if key:
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally()
        tally.add(at_s, log_ratio)


def _unshared(tallies: Tallies, changing: set[str]) -> Tallies:
    copied = tallies.copy()
    for key in changing & tallies.keys():
        copied[key] = copy(tallies[key])
    return copied


@dataclass(frozen=True, slots=True)
class RecentItems:
    """Latest products of a shopper, newest first, with weights by recency, 1 for the newest."""

    products: tuple[str, ...]
    weights: tuple[float, ...]


def latest_acts(history: ShopperHistory, at_s: float) -> tuple[Act, ...]:
    """Return the latest purchases before a time and this session's acts on products, newest first."""
    acts = [act for act in history.recent if act.product and act.at_s < at_s]
    acts += [act for act in history.session if act.product and 0 <= at_s - act.at_s <= SESSION_S]
    acts.sort(key=lambda act: -act.at_s)
    return tuple(acts[:RECENT])


def weighted_items(acts: Sequence[Act]) -> RecentItems:
    """Weigh the products of acts, newest first, by age with a half-life of eight weeks.

    Age counts from the newest act: weights from any later moment have the same ratios, which is all that is used of
    them, but for rounding.
    """
    newest_s = acts[0].at_s if acts else 0.0
    return RecentItems(
        tuple(act.product for act in acts),
        tuple(0.5 ** ((newest_s - act.at_s) / _ITEM_HALF_LIFE_S) for act in acts),
    )


def recent_items(history: ShopperHistory, at_s: float) -> RecentItems:
    """Return the latest purchases and this session's products, weighted by age."""
    return weighted_items(latest_acts(history, at_s))
