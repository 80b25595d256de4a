"""The context's part of step 1: visits, each one shopper in one context at one moment.

Requests of a page bring the same shopper and context, which are then screened, read and computed once.
"""

from datetime import UTC, date, datetime
from typing import Final

from agent.domain.records import Attribute
from agent.domain.request import ID_ALONE, Context, Promotion, QuoteRequest
from agent.pricing.shopper_reader import ShopperBatch
from agent.pricing.situation import Visit
from agent.rules.competitor_prices import usable_prices
from agent.rules.packs import Pack, legal_day
from agent.rules.screening import NOTHING, Screened, screen_profile
from models.shopper.features import ShopperFeatures
from models.shopper.product_weeks import ProductWeeks

TRENDS: Final = {
    **dict.fromkeys(("rising", "up", "growing", "hot"), 0.5),
    **dict.fromkeys(("falling", "down", "declining", "cold"), -0.5),
}
_SEASONS: Final = ("winter", "spring", "summer", "autumn")


class Visits:
    """Visits of one batch of requests; not to be shared between threads."""

    def __init__(self, shoppers: ShopperBatch, weeks: ProductWeeks, pack: Pack, now: datetime) -> None:
        """`shoppers` are those of the batch; `now` is the moment of the decisions."""
        self._shoppers = shoppers
        self._weeks = weeks
        self._pack = pack
        self._now = now
        self._known: dict[tuple[str | int | None, int, int], Visit] = {}

    def read(self, request: QuoteRequest, behaviour_s: float) -> Visit:
        """The visit of a request at a moment of the behaviour clock, Unix seconds."""
        said = bool(request.context.model_fields_set or request.context.__pydantic_extra__)
        shopper = request.shopper
        who = shopper.id if shopper.model_fields_set <= ID_ALONE else id(shopper)
        key = (who, id(request.context) if said else 0, id(request.events) if request.events else 0)
        visit = self._known.get(key)
        if visit is None:
            visit = self._known[key] = self._read(request, behaviour_s)
        return visit

    def _read(self, request: QuoteRequest, behaviour_s: float) -> Visit:
        context = request.context
        at, place = context.at or self._now, context.jurisdiction
        day = legal_day(place, self._now)
        shopper = self._shoppers.read(request, behaviour_s, at)
        return Visit(
            at=at,
            behaviour_s=behaviour_s,
            legal_day=day,
            shopper=shopper,
            words=_words(context, self._pack, day),
            rivals=usable_prices(context.competitor_prices, place, day),
            trend=_trend(context.market_trend),
            promotion=context.promotion if isinstance(context.promotion, Promotion) else None,
            season=context.season or _season(datetime.fromtimestamp(behaviour_s, UTC)),
            hours_left=_hours_left(context, at),
            features=ShopperFeatures(shopper.history, self._weeks, behaviour_s),
        )


def _words(context: Context, pack: Pack, day: date) -> Screened:
    """The further words and numbers of a context, screened as a profile is."""
    further: dict[str, Attribute] = {**(context.__pydantic_extra__ or {})}
    further |= {name: value for name in ("location", "channel") if (value := getattr(context, name))}
    if context.promotion is not None and not isinstance(context.promotion, Promotion):
        further["promotion"] = context.promotion
    return screen_profile(further, pack, context.jurisdiction or None, day) if further else NOTHING


def _hours_left(context: Context, at: datetime) -> float | None:
    deadline = context.deadline
    return max(0.0, (deadline - at).total_seconds() / 3600) if deadline is not None else None


def _trend(value: float | str | None) -> float:
    if isinstance(value, str):
        return TRENDS.get(value.strip().lower(), 0.0)
    return max(-1.0, min(1.0, value or 0.0))


def _season(at: datetime) -> str:
    """Season of the northern hemisphere, for requests that name none."""
    return _SEASONS[at.month % 12 // 3]
