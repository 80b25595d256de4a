"""Effect terms: the words and numbers of a situation as regressors of the online update.

Words (a product, a category, a profile field's value) have one indicator each. Numbers use piecewise-linear (hat) basis
functions on a logarithmic scale: coarse ones pick up a trend from few outcomes, fine ones its curvature from many.
Effects start with the prior standard deviations below. They are smaller where the evaluator was trained on this store's
own data: a product's level 0.28, with which intervals cover the demo store's sales of weeks 41-44.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from agent.domain.records import Attribute, ProductRecord
from agent.domain.request import QuotedProduct
from agent.pricing.situation import Market, ShopperView
from models.evaluator.lesson import CROSSED, Term
from models.shopper.features import Subject
from models.shopper.weeks import WEEK_S

MAX_WORD: Final = 40
IN_DOMAIN_SCALE: Final = 0.35
_FINE: Final = 0.5
_COARSE: Final = 2.0


class Trait(NamedTuple):
    """A named word or number of a situation, `profile.region` or `context.channel`, say."""

    name: str
    value: str | float


@dataclass(frozen=True, slots=True)
class _Sd:
    level: float
    slope: float


EVERYWHERE: Final = Trait("all", 1.0)
_ALL: Final = _Sd(2.5, 1.5)
_WORDS: Final[Mapping[str, _Sd]] = {
    "product.category": _Sd(1.0, 0.5),
    "product.brand": _Sd(0.5, 0.3),
    "product": _Sd(0.8, 0.5),
}
_WORD: Final = _Sd(0.7, 0.5)
RIVAL: Final = "rival.log_ratio"
_LINEAR: Final[Mapping[str, _Sd]] = {RIVAL: _Sd(2.0, 1.0)}
_HATS: Final = ((_COARSE, _Sd(0.9, 0.6)), (_FINE, _Sd(0.35, 0.25)))


def terms_of(
    traits: Sequence[Trait], *, in_domain: bool, learned: Mapping[str, tuple[float, float]] | None = None
) -> tuple[Term, ...]:
    """Effect terms of traits; `learned` prior sds by `Term.group` replace the defaults."""
    scale = IN_DOMAIN_SCALE if in_domain and learned is None else 1.0
    terms = tuple(chain.from_iterable(_scaled(trait, scale) for trait in traits))
    return terms if learned is None else tuple(_relearned(term, learned) for term in terms)


def _relearned(term: Term, learned: Mapping[str, tuple[float, float]]) -> Term:
    sd = learned.get(term.group)
    return term if sd is None else Term(term.name, term.value, *sd, term.independent)


@lru_cache(maxsize=50_000)
def _scaled(trait: Trait, scale: float) -> tuple[Term, ...]:
    return tuple(_term(named, scale) for named in _terms(trait))


def _term(named: tuple[str, float, _Sd], scale: float) -> Term:
    name, value, sd = named
    return Term(name, value, scale * sd.level, scale * sd.slope, independent=name.startswith("product="))


Crossings = Mapping[str, Mapping[str, tuple[float, float]]]
"""Prior sds of products of effects: by the group of the product's effect, then by the group of the other."""


def crossings_of(learned: Mapping[str, tuple[float, float]] | None) -> Crossings:
    """Groups whose products the training fitted."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for group, sd in (learned or {}).items():
        left, crossed, right = group.partition(CROSSED)
        if crossed:
            found.setdefault(left, {})[right] = sd
    return found


def crossed_terms(product: Sequence[Term], beside: Sequence[Term], crossings: Crossings) -> tuple[Term, ...]:
    """Products of a product's effects with those of shopper and market, as far as the training fitted them."""
    wanted = ((one, crossings[one.group]) for one in product if one.group in crossings)
    return tuple(
        one.crossed(other, of_groups[other.group])
        for one, of_groups in wanted
        for other in beside
        if other.group in of_groups
    )


def forget_words() -> None:
    """Drop cached words, for an erasure."""
    _scaled.cache_clear()


def word_traits(prefix: str, attributes: Mapping[str, Attribute]) -> Iterator[Trait]:
    """Attributes as traits; long and empty texts are left out."""
    for name, value in attributes.items():
        if isinstance(value, bool):
            yield Trait(f"{prefix}.{name}", str(value).lower())
        elif isinstance(value, int | float):
            if math.isfinite(value):
                yield Trait(f"{prefix}.{name}", float(value))
        elif isinstance(value, str) and 0 < len(value.strip()) <= MAX_WORD:
            yield Trait(f"{prefix}.{name}", value.strip().lower())


def product_traits(quoted: QuotedProduct, product: ProductRecord, reference: int) -> Iterator[Trait]:
    """Traits of a product, from the request and the catalogue."""
    if quoted.id is not None:
        yield Trait("product", quoted.id)
    for name, word in (("category", product.category), ("brand", product.brand)):
        if word:
            yield Trait(f"product.{name}", word.lower())
    yield Trait("product.reference_price", float(reference))
    if quoted.rating is not None:
        yield Trait("product.rating", float(quoted.rating))
    yield from word_traits("product", product.attributes)


def shopper_traits(who: ShopperView, loyalty: str) -> Iterator[Trait]:
    """Traits of a shopper; none of one who opted out."""
    if who.opted_out:
        return
    yield from word_traits("profile", who.screened.attributes)
    if who.has_history:
        yield Trait("purchase_history.loyalty", loyalty)
        yield Trait("purchase_history.deal_share", who.history.deals.times / max(1, who.history.items.times))


OFFERS: Final = "offers."
"""Begins the names of traits of earlier offers, which enter only where a training on own outcomes fitted them."""


def offer_traits(who: ShopperView, subject: Subject, at_s: float) -> Iterator[Trait]:
    """Traits of the offers that a shopper saw before: whether any, and how many of the product and its category.

    None of one who opted out. Counts decay with a time constant of half a year.
    """
    if who.opted_out:
        return
    history = who.history
    seen = history.items.times + history.declines.times
    yield Trait(f"{OFFERS}seen", "some" if seen else "none")
    if not seen:
        return
    for level, key, bought, left in (
        ("product", subject.product, history.products, history.declined),
        ("category", subject.category, history.categories, history.declined_categories),
    ):
        sold, declined = (tallies.get(key) if key else None for tallies in (bought, left))
        of_sold, of_declined = (0.0 if one is None else one.at(at_s)[1] for one in (sold, declined))
        if of_sold + of_declined > 0:
            yield Trait(f"{OFFERS}{level}_share", (of_sold + 0.5) / (of_sold + of_declined + 1.0))
            yield Trait(f"{OFFERS}{level}_declined", of_declined)
        if declined is not None:
            yield Trait(f"{OFFERS}{level}_weeks", (at_s - declined.last_s) / WEEK_S)


def rival_traits(market: Market, reference: int) -> Iterator[Trait]:
    """The competitor's price as one linear effect, which enters only where a training on own outcomes fitted it.

    Demand falls with a rival's price on both sides of it: `context.competitor_prices` alone learns that slowly.
    """
    if market.rival_minor:
        yield Trait(RIVAL, math.log(market.rival_minor / reference))


def market_traits(market: Market, quantity: int, reference: int) -> Iterator[Trait]:
    """Traits of the market; the cheapest competitor relative to the reference price."""
    if quantity > 1:
        yield Trait("quantity", float(quantity))
    if market.season:
        yield Trait("context.season", market.season.lower())
    if market.promotion is not None:
        yield from word_traits("context.promotion", market.promotion.model_dump())
    numbers = {
        "context.deadline": market.hours_left,
        "context.inventory": market.stock.inventory,
        "context.competitor_prices": market.rival_minor / reference if market.rival_minor else None,
        "context.market_trend": market.trend or None,
    }
    yield from (Trait(name, float(value)) for name, value in numbers.items() if value is not None)


def _terms(trait: Trait) -> Iterator[tuple[str, float, _Sd]]:
    if trait == EVERYWHERE:
        yield trait.name, 1.0, _ALL
        return
    if trait.name in _LINEAR:
        yield trait.name, float(trait.value), _LINEAR[trait.name]
        return
    if isinstance(trait.value, str):
        yield f"{trait.name}={trait.value}", 1.0, _WORDS.get(trait.name, _WORD)
        return
    at = math.asinh(10.0 * trait.value)
    for width, sd in _HATS:
        node = math.floor(at / width)
        share = at / width - node
        yield f"{trait.name}@{width:g}:{node}", 1.0 - share, sd
        if share > 0:
            yield f"{trait.name}@{width:g}:{node + 1}", share, sd
