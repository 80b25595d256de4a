"""Cold start: profit over the first visits to new products, with or without learning on other products before."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import numpy as np

from eval.over_shops import paired
from eval.policy.policies import BestPrice, HoldReference, Policy, ThompsonLogit
from eval.policy.pricesmith import Pricesmith
from eval.policy.runs import simulate
from eval.policy.suites import FIRST_SEED, HOLD, PRICESMITH
from eval.policy.texts import ToldTexts, without_texts
from eval.simulators import Courses, Grocery, World
from eval.simulators.product_subset import ProductSubset
from eval.simulators.titled import Titled
from eval.simulators.titles import LANGUAGES
from models.progress import Progress

FIRST_VISITS: Final = 500
TAUGHT_VISITS: Final = 1_500
_LEAST_SEEDS: Final = 3


Make = Callable[[World, int], Policy]


@dataclass(frozen=True, slots=True)
class Launch:
    """A shop and its new products."""

    make: Callable[[int], World]
    new: Callable[[World], Collection[str]]


def _titled(language: str) -> Launch:
    return Launch(lambda seed: Titled(seed, language), lambda world: cast(Titled, world).new)


TITLES: Final[Mapping[str, Launch]] = {
    f"titles, {language}: sixty of 240 are new": _titled(language) for language in LANGUAGES
}
LAUNCHES: Final[Mapping[str, Launch]] = {
    "courses: one of three is new": Launch(Courses, lambda _: {"course-1"}),
    "grocery, vendor-funded: five of thirty are new": Launch(
        lambda seed: Grocery(seed, funded=True), lambda _: {f"g{place}" for place in range(5)}
    ),
    **TITLES,
}


@dataclass(frozen=True, slots=True)
class ColdLine:
    """Share of the attainable profit over the first visits to new products: mean, minimum, maximum over seeds.

    Attributes:
        taught: Whether the policy had learned on other products.
        lead: Pricesmith's share less this policy's, taught alike: mean and ends of its 95 % interval over seeds; None
            for itself, or with fewer than three seeds.
    """

    launch: str
    policy: str
    taught: bool
    share: float
    share_low: float
    share_high: float
    lead: tuple[float, float, float] | None = None


def cold_start(models: Path, seeds: int, only: Sequence[str], progress: Progress) -> list[ColdLine]:
    """Run policies (all, or `only` some) on every launch, untrained and after visits to the other products."""
    found = []
    with TemporaryDirectory(prefix="pricesmith-sim-") as folder:
        unread = without_texts(models, Path(folder))
        for place, (name, launch) in enumerate(LAUNCHES.items()):
            shares: dict[tuple[str, bool], list[float]] = {}
            for policy, make in policies(name, models, unread).items():
                for taught in (False, True) if policy != HOLD else (False,):
                    if only and policy not in only:
                        continue
                    progress(f"{name}: {policy}", place / len(LAUNCHES))
                    seeded = range(FIRST_SEED, FIRST_SEED + seeds)
                    shares[policy, taught] = [first_visits(launch, make, seed, taught=taught) for seed in seeded]
            found += _lines(name, shares)
    progress("done", 1.0)
    return found


def _lines(launch: str, shares: Mapping[tuple[str, bool], Sequence[float]]) -> list[ColdLine]:
    found = []
    for (policy, taught), own in shares.items():
        ours, lead = shares.get((PRICESMITH, taught)), None
        if ours is not None and policy != PRICESMITH and len(own) >= _LEAST_SEEDS:
            lead = paired([a - b for a, b in zip(ours, own, strict=True)])
        found.append(ColdLine(launch, policy, taught, float(np.mean(own)), min(own), max(own), lead))
    return found


def rows(lines: Sequence[ColdLine]) -> list[list[str]]:
    """Format lines as table rows."""
    return [
        [
            line.launch,
            line.policy,
            "other products" if line.taught else "none",
            f"{line.share:.1%} ({line.share_low:.0%}-{line.share_high:.0%})",
            "" if line.lead is None else "{:+.1%} ({:+.1%} to {:+.1%})".format(*line.lead),
        ]
        for line in lines
    ]


COLUMNS: Final = (
    "shop",
    "policy",
    "learned before on",
    f"share of attainable profit, first {FIRST_VISITS} visits to new products",
    "Pricesmith's lead",
)


def policies(launch: str, models: Path, unread: Path) -> dict[str, Make]:
    """Policies of a launch by name; `unread` holds models that do not read product texts."""
    found: dict[str, Make] = {
        PRICESMITH: lambda world, seed: Pricesmith(world, models, seed),
        "Thompson on a logit": ThompsonLogit,
        "best price per product": lambda world, _: BestPrice(world, lambda visit: visit.product),
        HOLD: lambda *_: HoldReference(),
    }
    if launch in TITLES:
        found["Pricesmith, texts unread"] = lambda world, seed: Pricesmith(world, unread, seed)
        found["Thompson on a logit, told the texts"] = lambda world, seed: ToldTexts(
            ThompsonLogit(world, seed), world, models
        )
    return found


def first_visits(launch: Launch, make: Callable[[World, int], Policy], seed: int, *, taught: bool) -> float:
    """Compute the share of attainable profit over the first visits to new products, of one policy and seed."""
    world = launch.make(seed)
    new = launch.new(world)
    known: Collection[str] = {one.product_id for one in world.catalogue()} - set(new)
    policy = make(world, seed)
    try:
        if taught:
            simulate(ProductSubset(world, known), policy, TAUGHT_VISITS)
        else:
            world.visits(TAUGHT_VISITS)
        first = simulate(ProductSubset(world, new), policy, FIRST_VISITS)
    finally:
        policy.close()
    return float(first.profit.sum() / first.best.sum())
