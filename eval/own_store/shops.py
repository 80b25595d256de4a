"""Generated shops with known demand, in the form of outcomes that a merchant would import.

Models see only the words, numbers and history columns of a shop; purchases are drawn from its true logit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.pricing.effect_terms import EVERYWHERE, Trait, terms_of
from models.arrays import Floats
from models.encoder.encoder import DIM
from models.evaluator.evaluator import NUMERIC
from models.evaluator.monotone import sigmoid
from models.shopper.features import FEATURES
from models.shopper.item_affinity import FLOOR
from models.shopper.texts import product_text
from models.training.evaluator import EvaluatorData
from models.training.own_rows import EffectBuilder, OwnRows, PriceOrigins

Words = NDArray[np.str_]
Rng = np.random.Generator

_START_S: Final = 1_767_225_600.0  # 2026-01-01
_SPAN_S: Final = 200 * 86_400.0
_TRAINING_SHARE: Final = 0.85  # of the time span
KEPT: Final = 0.05
GRID: Final = np.log([0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2])


@dataclass(frozen=True, slots=True)
class GeneratedOffers:
    """Offers and their true demand; arrays are `(n,)`.

    Attributes:
        words, numbers: Columns by name, such as `profile.region`.
        logit: True purchase logit as a function of log(price / reference) `(n,)`.
        rival: log(competitor's price / reference), nan if there is none.
        shopper: Number of the shopper, -1 if unknown.
        kept: Share of the declined offers that are logged.
        cost: log(cost / reference), as known to the merchant; None if there is none.
        propensity: Probability of the price where it was drawn at random and logged, else nan; None if never.
        titles: Titles of the products, where they are told; `product` is the number of each offer's.
        new: Whether the product was never sold before the later outcomes, None where that is not asked.
    """

    at_s: Floats
    log_ratio: Floats
    reference: Floats
    words: Mapping[str, Words]
    numbers: Mapping[str, Floats]
    logit: Callable[[Floats], Floats]
    rival: Floats
    shopper: NDArray[np.int64]
    kept: float = 1.0
    cost: Floats | None = None
    propensity: Floats | None = None
    titles: tuple[str, ...] = ()
    product: NDArray[np.int64] | None = None
    new: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Number of offers."""
        return len(self.at_s)


Shop = Callable[[Rng, int, float], GeneratedOffers]
"""Function of random generator, number of offers, and share of them for training, that generates offers."""


@dataclass(frozen=True, slots=True)
class Common:
    """Times and prices that all shops draw alike, `(n,)` each."""

    at_s: Floats
    share: Floats  # of the time span elapsed, 0 to 1
    grid: Floats  # log price ratios from a grid
    free: Floats  # continuous log price ratios

    @property
    def later(self) -> NDArray[np.bool_]:
        """Offers after the training."""
        return self.share > _TRAINING_SHARE


def common(rng: Rng, n: int, known: float) -> Common:
    """Draw times and prices; training outcomes fill the first 85 % of the time span, whatever their share `known`."""
    order = np.sort(rng.random(n))
    training = _TRAINING_SHARE * order / known
    later = _TRAINING_SHARE + (1 - _TRAINING_SHARE) * (order - known) / max(1e-9, 1 - known)
    share = np.where(order < known, training, later)
    return Common(_START_S + _SPAN_S * share, share, rng.choice(GRID, n), rng.uniform(-0.4, 0.2, n))


def categorical(
    words: dict[str, tuple[str, ...]], rng: Rng, n: int
) -> tuple[dict[str, Words], dict[str, NDArray[np.int64]]]:
    """Draw words of columns evenly; returns the columns, and the number of each word."""
    code = {name: rng.integers(len(levels), size=n) for name, levels in words.items()}
    return {name: np.asarray(levels)[code[name]] for name, levels in words.items()}, code


_PROFILE: Final = {
    "profile.segment": ("student", "professional", "company"),
    "profile.region": ("north", "south", "east", "west"),
    "context.channel": ("app", "web", "store"),
}


def price_only(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Demand depends on the price only; segments, regions and channels are noise."""
    c = common(rng, n, known)
    words, _ = categorical(_PROFILE, rng, n)
    return offers_of(c, c.grid, words, lambda x: -1.0 - 2.5 * x, rng)


def profiles(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Level and slope depend on segment, region and channel."""
    c = common(rng, n, known)
    words, code = categorical(_PROFILE, rng, n)
    slope = (
        np.asarray([5.0, 2.5, 1.2])[code["profile.segment"]] + np.asarray([0.0, 0.6, 0.0, -0.3])[code["profile.region"]]
    )
    level = (
        -1.2
        + np.asarray([-0.3, 0.0, 0.6])[code["profile.segment"]]
        + np.asarray([0.3, 0, -0.3])[code["context.channel"]]
    )
    return offers_of(c, c.free, words, lambda x: level - slope * x, rng)


def categories(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Level and slope depend on category (twelve) and product (two hundred)."""
    c = common(rng, n, known)
    kinds = rng.normal(0, 1.0, 12), np.exp(rng.normal(0.7, 0.4, 12))
    own = rng.normal(0, 0.5, 200), rng.normal(0, 0.3, 200)
    product = rng.choice(200, n, p=_zipf(200))
    kind = product % 12
    level = -1.5 + kinds[0][kind] + own[0][product]
    slope = np.maximum(0.3, kinds[1][kind] + own[1][product])
    words = {
        "product": np.char.add("p", product.astype(str)),
        "product.category": np.char.add("kind ", kind.astype(str)),
    }
    reference = np.exp(rng.normal(3.0, 0.6, 200))[product]
    return offers_of(c, c.grid, words, lambda x: level - slope * x, rng, reference=reference)


def kinks(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Demand drops where the price exceeds the reference price, and where it exceeds 90 % of it."""
    c = common(rng, n, known)
    words, _ = categorical(_PROFILE, rng, n)
    return offers_of(c, c.free, words, lambda x: -0.9 - 1.2 * x - 0.9 * (x > 0) - 0.6 * (x > np.log(0.9)), rng)


def rivals(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Half of the offers have a competitor; above its price, the slope is four times as steep."""
    c = common(rng, n, known)
    words, code = categorical(_PROFILE, rng, n)
    rival = np.where(rng.random(n) < 0.5, rng.uniform(-0.3, 0.2, n), np.nan)
    level = -1.0 + np.asarray([-0.2, 0.0, 0.3])[code["profile.segment"]]
    beyond = np.nan_to_num(rival, nan=np.inf)
    return offers_of(c, c.free, words, lambda x: level - 1.5 * x - 4.5 * np.maximum(0.0, x - beyond), rng, rival=rival)


def rare(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """One offer in a hundred is bought; level and slope depend on the segment."""
    c = common(rng, n, known)
    words, code = categorical(_PROFILE, rng, n)
    level = -4.9 + np.asarray([-0.4, 0.0, 0.5])[code["profile.segment"]]
    slope = np.asarray([3.5, 2.5, 1.5])[code["profile.segment"]]
    return offers_of(c, c.free, words, lambda x: level - slope * x, rng)


def interactions(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Three offers in ten are bought; numbers act non-linearly, and words only in interaction."""
    c = common(rng, n, known)
    words, code = categorical(_PROFILE, rng, n)
    visits, age = rng.gamma(1.5, 3.0, n), rng.uniform(0, 24, n)
    company_app = (code["profile.segment"] == 2) & (code["context.channel"] == 0)
    level = -1.6 + 0.8 * np.log1p(visits) - 1.2 * np.abs(age - 12) / 12 + 0.9 * company_app
    slope = 2.2 + 1.2 * (age < 6) - 0.8 * company_app
    numbers = {"profile.visits": np.round(visits, 1), "context.hour": np.round(age, 1)}
    return offers_of(c, c.grid, words, lambda x: level - slope * x, rng, numbers=numbers)


def drifting(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """The logit falls by 1.5 over the time span, unevenly."""
    c = common(rng, n, known)
    words, code = categorical(_PROFILE, rng, n)
    level = -0.4 - 1.5 * c.share + 0.2 * np.sin(9 * c.share) + np.asarray([-0.2, 0.0, 0.2])[code["profile.segment"]]
    return offers_of(c, c.grid, words, lambda x: level - 2.0 * x, rng)


def sampled(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Two offers in a hundred are bought; of the declined ones, one in twenty is logged, with weight twenty."""
    c = common(rng, n, known)
    words, code = categorical(_PROFILE, rng, n)
    level = -4.2 + np.asarray([-0.4, 0.0, 0.5])[code["profile.segment"]]
    slope = np.asarray([3.5, 2.5, 1.5])[code["profile.segment"]]
    return offers_of(c, c.free, words, lambda x: level - slope * x, rng, kept=KEPT)


def regulars(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Returning shoppers with unobserved heterogeneity, which their purchase history reveals."""
    c = common(rng, n, known)
    words, code = categorical({"profile.region": _PROFILE["profile.region"]}, rng, n)
    count = max(40, n // 25)
    shopper = rng.integers(count, size=n)
    keen = rng.normal(0, 1.0, count)[shopper]
    level = -1.3 + keen + np.asarray([0.2, 0.0, 0.0, -0.2])[code["profile.region"]]
    return offers_of(c, c.grid, words, lambda x: level - (2.5 - 0.4 * keen) * x, rng, shopper=shopper)


SHOPS: Final[dict[str, Shop]] = {
    "price alone": price_only,
    "profiles": profiles,
    "categories": categories,
    "kinks": kinks,
    "competitor": rivals,
    "one in a hundred": rare,
    "three in ten, interactions": interactions,
    "drifting level": drifting,
    "sampled declines": sampled,
    "regulars": regulars,
}


def _zipf(count: int) -> Floats:
    mass = 1 / np.arange(5, count + 5)
    return np.asarray(mass / mass.sum())


def offers_of(
    c: Common, log_ratio: Floats, words: dict[str, Words], logit: Callable[[Floats], Floats], rng: Rng, **more: object
) -> GeneratedOffers:
    """Build the offers of a shop at some prices; `more` replaces reference, numbers, rivals, shoppers and the like."""
    n = len(log_ratio)
    usual: dict[str, object] = {
        "reference": np.full(n, 25.0),
        "numbers": {},
        "rival": np.full(n, np.nan),
        "shopper": np.full(n, -1),
    }
    return GeneratedOffers(at_s=c.at_s, log_ratio=log_ratio, words=words, logit=logit, **(usual | more))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SimulatedOutcomes:
    """Outcomes as training rows, and their true logits as a function of the log price ratio.

    `new` tells which are of products never sold in training; None where that is not asked.
    """

    rows: OwnRows
    logit: Callable[[Floats], Floats]
    new: NDArray[np.bool_] | None = None


Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Maps texts to encoder states `(n, 384)`."""


def simulate_outcomes(shop: Shop, seed: int, known: int, later: int, encode: Encode | None = None) -> SimulatedOutcomes:
    """Simulate `known` outcomes for training and `later` ones for scoring, in order of time.

    Titles are told where `encode` reads them.
    """
    rng = np.random.default_rng((seed, known))
    n = known + later
    trial = shop(np.random.default_rng((seed, known, 1)), 2_000, known / n)
    rate = float(sigmoid(trial.logit(trial.log_ratio)).mean())
    count = n if trial.kept == 1 else int(1.2 * n / (rate + (1 - rate) * trial.kept))
    offers = shop(rng, count, known / n)
    bought = rng.random(count) < sigmoid(offers.logit(offers.log_ratio))
    logged = np.flatnonzero(bought | (rng.random(count) < offers.kept))[:n]
    rows = _rows(offers, bought, logged)
    if encode is not None and offers.product is not None:
        states = encode([product_text(title) for title in offers.titles])
        data = replace(rows.data, product_states=states, product_row=offers.product[logged])
        rows = replace(rows, data=data).with_text()
    every = np.zeros(count)

    def logit(log_ratio: Floats) -> Floats:
        every[logged] = log_ratio
        return offers.logit(every)[logged]

    return SimulatedOutcomes(rows, logit, None if offers.new is None else offers.new[logged])


def _rows(offers: GeneratedOffers, bought: NDArray[np.bool_], logged: NDArray[np.int64]) -> OwnRows:
    n = len(logged)
    builder = EffectBuilder(n)
    named = {**offers.words, **offers.numbers, "product.reference_price": offers.reference}
    known = ~np.isnan(offers.rival)
    for start in range(0, n, 20_000):
        places = logged[start : start + 20_000]
        columns = [(name, values[places].tolist()) for name, values in named.items()]
        rival = np.where(known, np.exp(offers.rival), np.nan)[places].tolist()
        builder.add(
            range(start, start + len(places)),
            [
                terms_of(
                    [
                        EVERYWHERE,
                        *(Trait(name, values[row]) for name, values in columns),
                        *((Trait("context.competitor_prices", rival[row]),) if rival[row] == rival[row] else ()),
                    ],
                    in_domain=False,
                )
                for row in range(len(places))
            ],
        )
    sold = bought[logged].astype(np.float32)
    states = np.zeros((1, DIM), np.float32)
    data = EvaluatorData(
        numeric=_numeric(offers, bought)[logged],
        shopper_row=np.zeros(n, np.int64),
        product_row=np.zeros(n, np.int64),
        shopper_states=states,
        product_states=states,
        stranger=states[0],
        log_ratio=offers.log_ratio[logged].astype(np.float32),
        rate=np.ones(n, np.float32),
        bought=sold,
        weight=np.where(sold > 0, 1.0, 1.0 / offers.kept).astype(np.float32),
        returned=np.full(n, np.nan, np.float32),
        cluster=np.where(offers.shopper[logged] < 0, -1 - np.arange(n), offers.shopper[logged]),
    )
    nothing = np.full(len(offers), np.nan)
    cost, propensity = (nothing if part is None else part for part in (offers.cost, offers.propensity))
    return OwnRows(
        data,
        builder.columns(),
        offers.at_s[logged],
        offers.rival[logged].astype(np.float32),
        origins=PriceOrigins(cost[logged], propensity[logged]),
    )


def _numeric(offers: GeneratedOffers, bought: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Compute the network's inputs: the reference price, and earlier purchases of returning shoppers."""
    numeric = np.zeros((len(offers), NUMERIC), np.float32)
    numeric[:, FEATURES.index("log_price")] = np.log(offers.reference) / 3
    numeric[:, -1] = np.log(FLOOR)
    if (offers.shopper < 0).all():
        return numeric
    order = np.argsort(offers.shopper, kind="stable")  # keeps the order of time within a shopper
    sold = bought[order].astype(np.float64)
    first = np.r_[True, np.diff(offers.shopper[order]) != 0]
    running = np.cumsum(sold) - sold
    before = running - np.maximum.accumulate(np.where(first, running, 0.0))
    count = np.zeros(len(offers))
    count[order] = before
    for name in ("category_bought", "known"):
        numeric[:, FEATURES.index(name)] = count > 0
    for name in ("category_count_slow", "trips_slow"):
        numeric[:, FEATURES.index(name)] = np.log1p(count)
    return numeric
