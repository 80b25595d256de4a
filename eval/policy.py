"""Policies on simulators with known truth: profit, surplus and regret, everyone on the same visits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eval.policies import Attainable, BestPrice, BoostedGrid, Hold, Policy, ThompsonLogit
from eval.policy_pricesmith import Pricesmith
from eval.policy_vowpal import VowpalAdf, VowpalCats
from eval.simulators import Courses, Grocery, Loans, Rooms, Shifting, World

Floats = NDArray[np.float64]
Progress = Callable[[str, float], None]

PRICESMITH: Final = "Pricesmith"
CHECKPOINTS: Final = (500, 2_000, 5_000, 20_000)
FIRST_SEED: Final = 1  # seed 0 is for choosing settings on
_CURVE_POINTS: Final = 60

WORLDS: Final[dict[str, Callable[[int, int], World]]] = {
    "courses": lambda seed, _: Courses(seed),
    "grocery": lambda seed, _: Grocery(seed),
    "grocery, vendor-funded": lambda seed, _: Grocery(seed, funded=True),
    "loans": lambda seed, _: Loans(seed),
    "rooms": lambda seed, _: Rooms(seed),
    "courses, shift midway": lambda seed, visits: Shifting(seed, visits // 2),
}


class Peers(StrEnum):
    """Whom to run beside Pricesmith: what the extra `eval` brings, or also what `make peers` installs."""

    OWN = "own"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one world with one seed; arrays are `(visits,)`.

    Attributes:
        profit: Expected profit of each price under the truth.
        best: What the best policy earns, knowing the truth but for what cannot be observed.
        surplus: Expected consumer surplus.
        above: Whether the price lay above the reference.
        breaches: Prices outside the limits.
    """

    profit: Floats
    best: Floats
    surplus: Floats
    above: NDArray[np.bool_]
    breaches: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """One policy on one world, over seeds.

    Attributes:
        share: Attainable profit earned up to each checkpoint, mean over seeds; `share_low`, `share_high` the range.
        last_share: The same over the last fifth of the visits alone.
        regret: Cumulative regret over the mean attainable profit of a visit, at `visit`.
    """

    policy: str
    share: dict[int, float]
    share_low: dict[int, float]
    share_high: dict[int, float]
    last_share: float
    surplus: float
    above_reference: float
    breaches: int
    visits_a_second: float
    visit: list[int] = field(default_factory=list)
    regret: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """All worlds, each with its lines, Pricesmith first."""

    visits: int
    seeds: int
    worlds: dict[str, list[Line]]


@dataclass(frozen=True, slots=True)
class Suite:
    """What to run."""

    worlds: tuple[str, ...]
    visits: int
    seeds: int
    models: Path
    peers: Peers = Peers.OWN


def run_suite(suite: Suite, progress: Progress) -> PolicyReport:
    """Every policy on every world and seed."""
    found = {}
    for name in suite.worlds:
        runs: dict[str, list[Run]] = {}
        for seed in range(FIRST_SEED, FIRST_SEED + suite.seeds):
            for policy, make in _policies(suite, seed).items():
                progress(f"{name}: {policy}, seed {seed}", (seed - FIRST_SEED) / suite.seeds)
                world = WORLDS[name](seed, suite.visits)
                runs.setdefault(policy, []).append(run(world, make(world), suite.visits))
        found[name] = [_line(policy, one) for policy, one in runs.items()]
        progress(f"{name}: done", 1.0)
    return PolicyReport(suite.visits, suite.seeds, found)


def run(world: World, policy: Policy, visits: int) -> Run:
    """Let a policy price visits in batches, and tell it what became of each."""
    oracle = Attainable(world)
    profit: list[float] = []
    best: list[float] = []
    surplus: list[float] = []
    above: list[bool] = []
    began = perf_counter()
    try:
        while len(profit) < visits:
            batch = world.visits(min(world.batch, visits - len(profit)))
            ratios = policy.prices(batch)
            for visit, ratio, ideal in zip(batch, ratios, oracle.prices(batch), strict=True):
                profit.append(float(visit.probability(ratio)) * (ratio - visit.cost))
                earned = float(visit.probability(ideal)) * (ideal - visit.cost)
                best.append(earned if visit.attainable is None else visit.attainable)
                surplus.append(visit.surplus(ratio))
                above.append(ratio > 1.0 + 1e-3)
            policy.learn(batch, ratios, [world.settle(v, r) for v, r in zip(batch, ratios, strict=True)])
    finally:
        policy.close()
    return Run(
        np.asarray(profit),
        np.asarray(best),
        np.asarray(surplus),
        np.asarray(above),
        policy.breaches if isinstance(policy, Pricesmith) else 0,
        perf_counter() - began,
    )


def regressions(report: PolicyReport) -> list[str]:
    """What must never happen and did."""
    found = []
    for world, lines in report.worlds.items():
        own = next(line for line in lines if line.policy == PRICESMITH)
        if own.breaches:
            found.append(f"{world}: {own.breaches} prices outside the limits")
        hold = next(line for line in lines if line.policy == "hold reference")
        if own.last_share < hold.last_share - 0.02:
            found.append(
                f"{world}: over the last fifth {own.last_share:.1%} of attainable profit, below holding the reference "
                f"({hold.last_share:.1%})"
            )
    return found


def _policies(suite: Suite, seed: int) -> dict[str, Callable[[World], Policy]]:
    own: dict[str, Callable[[World], Policy]] = {
        PRICESMITH: lambda world: Pricesmith(world, suite.models),
        "hold reference": lambda world: Hold(),
        "best single price": lambda world: BestPrice(world, lambda visit: ""),
        "best price per product": lambda world: BestPrice(world, lambda visit: visit.product),
        "Thompson on a logit": lambda world: ThompsonLogit(world, seed),
        "LightGBM + grid": lambda world: BoostedGrid(world, seed),
    }
    if suite.peers is Peers.OWN:
        return own
    return own | {
        "VW CATS": lambda world: VowpalCats(world, seed),
        "VW cb_explore_adf": lambda world: VowpalAdf(world, seed),
    }


def _line(policy: str, runs: Sequence[Run]) -> Line:
    visits = len(runs[0].profit)
    points = [point for point in CHECKPOINTS if point <= visits] or [visits]
    shares = {point: [float(one.profit[:point].sum() / one.best[:point].sum()) for one in runs] for point in points}
    last = slice(visits - max(1, visits // 5), visits)
    where = np.unique(np.linspace(1, visits, _CURVE_POINTS).astype(int))
    regret = np.mean([np.cumsum(one.best - one.profit) / one.best.mean() for one in runs], axis=0)
    return Line(
        policy=policy,
        share={point: float(np.mean(values)) for point, values in shares.items()},
        share_low={point: min(values) for point, values in shares.items()},
        share_high={point: max(values) for point, values in shares.items()},
        last_share=float(np.mean([one.profit[last].sum() / one.best[last].sum() for one in runs])),
        surplus=float(np.mean([one.surplus.mean() for one in runs])),
        above_reference=float(np.mean([one.above.mean() for one in runs])),
        breaches=sum(one.breaches for one in runs),
        visits_a_second=visits / float(np.mean([one.seconds for one in runs])),
        visit=where.tolist(),
        regret=regret[where - 1].tolist(),
    )
