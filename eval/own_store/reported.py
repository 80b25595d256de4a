"""Satisfaction learned from the reports of simulated sales, compared with the truth they were drawn from.

Whether a sale is kept depends on category, product and price; so does the rating of one that was kept, beside a taste
that no input tells. Three sales in ten that were kept are rated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from agent.cli.output import print_facts, print_table
from models.arrays import Floats
from models.evaluator.monotone import sigmoid
from models.evaluator.satisfaction import PRIOR
from models.progress import Progress
from models.training.own_satisfaction import learn_satisfaction
from models.training.sale_reports import WINDOW_S, Ints, Sales

KINDS: Final = ("nothing", "returns", "ratings", "both", "returns at random")
SALES: Final = (50, 500, 5_000)
_PRODUCTS: Final = 60
_CATEGORIES: Final = 6
_SPAN_S: Final = 300 * 86_400.0
_RATED: Final = 0.3
_SCORED: Final = 4_000
_TASTES: Final = np.linspace(-2.5, 2.5, 21)
_MORE: Final = 1.1


@dataclass(frozen=True, slots=True)
class SatisfactionTrial:
    """Results of one shop.

    Attributes:
        error: Root mean square error of the probability of being content on later sales; `prior_error`: the prior's.
        at_reference: Content at the reference price, of an average product: value, low, high (90 %); `truth` of that.
        drop: Fall of it at a price 10 % higher; `true_drop` likewise.
    """

    kind: str
    sales: int
    seed: int
    source: str
    error: float
    prior_error: float
    at_reference: tuple[float, float, float]
    truth: float
    drop: float
    true_drop: float

    @property
    def covered(self) -> bool:
        """Whether the interval contains the truth."""
        return self.at_reference[1] <= self.truth <= self.at_reference[2]


@dataclass(frozen=True, slots=True)
class _World:
    """True logits of being content with a product at its reference price, `(products,)`, and the slope in log price."""

    level: Floats
    slope: float
    kind: str

    def content(self, product: Ints, log_ratio: Floats) -> Floats:
        """Probability of being content, by the definition, of sales `(n,)`."""
        logit = self.level[product] - self.slope * log_ratio
        kept = np.full(len(logit), 0.9) if self.kind == "returns at random" else sigmoid(1.0 + logit)
        rating = sigmoid(logit[:, None] + _TASTES) @ _mass()
        return np.asarray({"ratings": rating, "both": kept * rating}.get(self.kind, kept))


def _mass() -> Floats:
    density = np.exp(-0.5 * _TASTES**2)
    return np.asarray(density / density.sum())


def run_satisfaction(sizes: Sequence[int], seeds: int, first_seed: int, progress: Progress) -> list[SatisfactionTrial]:
    """Run a trial for every kind of reports, number of sales and seed."""
    plan = [(kind, size, first_seed + k) for kind in KINDS for size in sizes for k in range(seeds)]
    found = []
    for done, (kind, size, seed) in enumerate(plan):
        progress(f"satisfaction: {kind}, {size:,} sales", done / len(plan))
        found.append(_trial(kind, size, seed))
    progress("satisfaction", 1.0)
    return found


def _trial(kind: str, size: int, seed: int) -> SatisfactionTrial:
    rng = np.random.default_rng((seed, size))
    level = 1.5 + rng.normal(0, 0.6, _CATEGORIES)[np.arange(_PRODUCTS) % _CATEGORIES] + rng.normal(0, 0.4, _PRODUCTS)
    world = _World(level, 0.0 if kind == "returns at random" else 3.0, kind)
    learned = learn_satisfaction(_sales(world, size, rng))
    known = learned.known or PRIOR
    product, log_ratio = rng.integers(0, _PRODUCTS, _SCORED), _prices(rng, _SCORED)
    truth = world.content(product, log_ratio)
    effects = known.effects_of([(f"p{k}", f"c{k % _CATEGORIES}") for k in product.tolist()])
    own = known.probability(log_ratio[:, None], effects)[:, 0]
    prior = PRIOR.probability(log_ratio[:, None], None)[:, 0]
    average = replace(world, level=np.full(_PRODUCTS, level.mean()))
    at = average.content(np.zeros(2, np.int64), np.asarray([0.0, np.log(_MORE)]))
    report = learned.report
    return SatisfactionTrial(
        kind=kind,
        sales=size,
        seed=seed,
        source=report.source,
        error=float(np.sqrt(((own - truth) ** 2).mean())),
        prior_error=float(np.sqrt(((prior - truth) ** 2).mean())),
        at_reference=report.at_reference,
        truth=float(at[0]),
        drop=report.at_reference[0] - report.at_more[0],
        true_drop=float(at[0] - at[1]),
    )


def _sales(world: _World, size: int, rng: np.random.Generator) -> Sales:
    product, log_ratio = rng.integers(0, _PRODUCTS, size), _prices(rng, size)
    logit = world.level[product] - world.slope * log_ratio
    kept = rng.random(size) < (0.9 if world.kind == "returns at random" else sigmoid(1.0 + logit))
    if world.kind in ("nothing", "ratings"):
        kept[:] = True
    content = sigmoid(logit + np.clip(rng.standard_normal(size), -2.5, 2.5))
    rated = (world.kind in ("ratings", "both")) & (rng.random(size) < _RATED)
    low = np.floor(4 * content)  # rounded at random, so that the mean rating is the truth
    rating = 1 + low + (rng.random(size) < 4 * content - low)
    return Sales(
        names=tuple((f"p{k}", f"c{k % _CATEGORIES}") for k in range(_PRODUCTS)),
        product=product,
        shopper=np.arange(size),
        at_s=np.sort(rng.uniform(0, _SPAN_S, size)),
        log_ratio=log_ratio,
        returned=(~kept).astype(np.float64),
        rating=np.where(rated, rating, np.nan),
        end_s=_SPAN_S + WINDOW_S,
    )


def _prices(rng: np.random.Generator, size: int) -> Floats:
    return np.asarray(np.log(rng.choice([0.7, 0.8, 0.9, 1.0, 1.1, 1.2], size)))


def print_satisfaction(trials: Sequence[SatisfactionTrial]) -> None:
    """Print the means over seeds by kind and size."""
    rows = []
    for kind, size in dict.fromkeys((one.kind, one.sales) for one in trials):
        own = [one for one in trials if (one.kind, one.sales) == (kind, size)]
        mean = {
            name: float(np.mean([getattr(one, name) for one in own]))
            for name in ("error", "prior_error", "drop", "true_drop")
        }
        learned = sum(one.source == "learned" for one in own)
        rows.append(
            (
                kind,
                f"{size:,}",
                f"{learned} of {len(own)}",
                f"{mean['error']:.3f}",
                f"{mean['prior_error']:.3f}",
                f"{mean['drop']:.3f}",
                f"{mean['true_drop']:.3f}",
                f"{sum(one.covered for one in own)} of {len(own)}" if kind != "nothing" else "",
            )
        )
    columns = ("reports", "sales", "learned", "error", "the prior's", "fall at +10 %", "true fall", "90 % covers")
    print_table("Satisfaction beside the truth, means over seeds", columns, rows)
    print_facts({"note": "shops are simulated; where nothing is reported the truth shown is that of keeping"})


def satisfaction_regressions(trials: Sequence[SatisfactionTrial]) -> list[str]:
    """Describe kinds of reports after which satisfaction is further from the truth than the prior, on average."""
    lost = []
    for kind in dict.fromkeys(one.kind for one in trials if one.kind != "nothing"):
        own = [one for one in trials if one.kind == kind]
        error, prior = (float(np.mean([getattr(one, name) for one in own])) for name in ("error", "prior_error"))
        if error > prior:
            lost.append(f"satisfaction learned from {kind} is {error:.3f} from the truth, the prior {prior:.3f}")
    return lost
