"""Cold start: profit over the first visits to new products, with or without learning on other products before."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from eval.policy.policies import BestPrice, HoldReference, Policy, ThompsonLogit
from eval.policy.pricesmith import Pricesmith
from eval.policy.runs import simulate
from eval.policy.suites import FIRST_SEED
from eval.simulators import Courses, Grocery, World
from eval.simulators.product_subset import ProductSubset
from models.progress import Progress

FIRST_VISITS: Final = 500
TAUGHT_VISITS: Final = 1_500


@dataclass(frozen=True, slots=True)
class Launch:
    """A shop and its new products."""

    make: Callable[[int], World]
    new: frozenset[str]


LAUNCHES: Final[Mapping[str, Launch]] = {
    "courses: one of three is new": Launch(Courses, frozenset({"course-1"})),
    "grocery, vendor-funded: five of thirty are new": Launch(
        lambda seed: Grocery(seed, funded=True), frozenset(f"g{place}" for place in range(5))
    ),
}


@dataclass(frozen=True, slots=True)
class ColdLine:
    """Share of the attainable profit over the first visits to new products: mean, minimum, maximum over seeds.

    Attributes:
        taught: Whether the policy had learned on other products.
    """

    launch: str
    policy: str
    taught: bool
    share: float
    share_low: float
    share_high: float


def cold_start(models: Path, seeds: int, progress: Progress) -> list[ColdLine]:
    """Run every policy on every launch, untrained and after visits to the other products."""
    found = []
    for name, launch in LAUNCHES.items():
        for policy, make in _policies(models).items():
            for taught in (False, True) if policy != "hold reference" else (False,):
                progress(f"{name}: {policy}", 0.5)
                seeded = range(FIRST_SEED, FIRST_SEED + seeds)
                shares = [first_visits(launch, make, seed, taught=taught) for seed in seeded]
                found.append(ColdLine(name, policy, taught, float(np.mean(shares)), min(shares), max(shares)))
    progress("done", 1.0)
    return found


def rows(lines: Sequence[ColdLine]) -> list[list[str]]:
    """Format lines as table rows."""
    return [
        [
            line.launch,
            line.policy,
            "other products" if line.taught else "none",
            f"{line.share:.1%} ({line.share_low:.0%}-{line.share_high:.0%})",
        ]
        for line in lines
    ]


COLUMNS: Final = (
    "shop",
    "policy",
    "learned before on",
    f"share of attainable profit, first {FIRST_VISITS} visits to new products",
)


def _policies(models: Path) -> dict[str, Callable[[World, int], Policy]]:
    return {
        "Pricesmith": lambda world, seed: Pricesmith(world, models, seed),
        "Thompson on a logit": ThompsonLogit,
        "best price per product": lambda world, _: BestPrice(world, lambda visit: visit.product),
        "hold reference": lambda world, _: HoldReference(),
    }


def first_visits(launch: Launch, make: Callable[[World, int], Policy], seed: int, *, taught: bool) -> float:
    """Compute the share of attainable profit over the first visits to new products, of one policy and seed."""
    world = launch.make(seed)
    known: Collection[str] = {one.product_id for one in world.catalogue()} - launch.new
    policy = make(world, seed)
    try:
        if taught:
            simulate(ProductSubset(world, known), policy, TAUGHT_VISITS)
        else:
            world.visits(TAUGHT_VISITS)
        first = simulate(ProductSubset(world, launch.new), policy, FIRST_VISITS)
    finally:
        policy.close()
    return float(first.profit.sum() / first.best.sum())
