"""Suites of policies on simulated shops: profit, surplus and regret on identical visits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from eval.policy.clients import Over
from eval.policy.oracles import FixedPrice, WithOpportunityCost, best_fixed
from eval.policy.policies import BestPrice, BoostedGrid, Clairvoyant, HoldReference, Policy, ThompsonLogit
from eval.policy.pricesmith import Pricesmith
from eval.policy.pybandits_peer import PybanditsPricing
from eval.policy.runs import Run, run
from eval.policy.vowpal_peer import VowpalAdf, VowpalCats
from eval.simulators import Courses, Grocery, Loans, Rooms, Shifting, World
from models.arrays import Floats
from models.progress import Progress

PRICESMITH: Final = "Pricesmith"
HOLD: Final = "hold reference"
SINGLE: Final = "best single price"
BOUNDS: Final = ("clairvoyant", "best fixed price, known")  # know the true demand: bounds, not peers
CHECKPOINTS: Final = (500, 2_000, 5_000, 20_000)
FIRST_SEED: Final = 1  # seed 0 is reserved for tuning
_CURVE_POINTS: Final = 60
_BLOCK: Final = 50  # visits per bootstrap block, as a policy's prices are autocorrelated
_REDRAWS: Final = 2_000
_FIXED_VISITS: Final = 4_000

WORLDS: Final[dict[str, Callable[[int, int], World]]] = {
    "courses": lambda seed, _: Courses(seed),
    "grocery": lambda seed, _: Grocery(seed),
    "grocery, vendor-funded": lambda seed, _: Grocery(seed, funded=True),
    "loans": lambda seed, _: Loans(seed),
    "rooms": lambda seed, _: Rooms(seed),
    "courses, shift midway": lambda seed, visits: Shifting(seed, visits // 2),
}


class Peers(StrEnum):
    """Peers to run: those of the extra `eval`, or also those installed by `make peers`."""

    OWN = "own"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Line:
    """Results of one policy on one world, over seeds.

    Attributes:
        share: Share of the attainable profit up to each checkpoint, mean over seeds; `share_low`, `share_high`: range.
        last_share: Share over the last fifth of the visits.
        regret: Cumulative regret over the mean attainable profit per visit, at `visit`.
        lead: Pricesmith's share minus this policy's up to each checkpoint, with the ends of a 95 % interval.
        profit_tenths, surplus_tenths: Share of the attainable profit, and mean surplus, in each tenth of the visits,
            one row per seed.
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
    lead: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    profit_tenths: list[list[float]] = field(default_factory=list)
    surplus_tenths: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """Results by world, Pricesmith's line first."""

    visits: int
    seeds: int
    worlds: dict[str, list[Line]]


@dataclass(frozen=True, slots=True)
class Suite:
    """Runs of a suite.

    Attributes:
        only: Policies to run, all when empty.
        keep: Folder of finished runs, which are not repeated.
    """

    worlds: tuple[str, ...]
    visits: int
    seeds: int
    models: Path
    peers: Peers = Peers.OWN
    over: Over = Over.PROCESS
    only: tuple[str, ...] = ()
    keep: Path | None = None


def run_suite(suite: Suite, progress: Progress) -> PolicyReport:
    """Run every policy on every world and seed, seed by seed, so that an interrupted suite has complete seeds."""
    runs: dict[str, dict[str, list[Run]]] = {name: {} for name in suite.worlds}
    steps = [(seed, name) for seed in range(FIRST_SEED, FIRST_SEED + suite.seeds) for name in suite.worlds]
    for step, (seed, name) in enumerate(steps):
        for policy, make in policies(suite, name, seed).items():
            if not suite.only or policy in suite.only:
                progress(f"{name}: {policy}, seed {seed}", step / len(steps))
                runs[name].setdefault(policy, []).append(_kept(suite, (name, policy, seed), make))
    progress("done", 1.0)
    found = {
        name: [_line(policy, one, of_world) for policy, one in of_world.items()] for name, of_world in runs.items()
    }
    return PolicyReport(suite.visits, suite.seeds, found)


def _kept(suite: Suite, which: tuple[str, str, int], make: Callable[[World], Policy]) -> Run:
    name, policy, seed = which
    slug = "-".join("".join(c if c.isalnum() else "_" for c in part) for part in (name, policy, str(seed)))
    path = None if suite.keep is None else suite.keep / f"{slug}-{suite.visits}.npz"
    if path is not None and path.is_file():
        return Run.load(path)
    world = WORLDS[name](seed, suite.visits)
    found = run(world, make(world), suite.visits)
    if path is not None:
        found.save(path)
    return found


def regressions(report: PolicyReport) -> list[str]:
    """List failures of the goals that must always hold."""
    found = []
    for world, lines in report.worlds.items():
        named = {line.policy: line for line in lines}
        own, hold = named.get(PRICESMITH), named.get(HOLD)
        if own is None:
            continue
        if own.breaches:
            found.append(f"{world}: {own.breaches} prices outside the limits")
        if hold is not None and own.last_share < hold.last_share - 0.02:
            found.append(
                f"{world}: over the last fifth {own.last_share:.1%} of attainable profit, below holding the reference "
                f"({hold.last_share:.1%})"
            )
    return found


def policies(suite: Suite, name: str, seed: int) -> dict[str, Callable[[World], Policy]]:
    """Return a factory per policy; learning peers are given the true opportunity cost of a unit."""

    def fixed(_world: World) -> Policy:
        visits = min(suite.visits, _FIXED_VISITS)
        return FixedPrice(best_fixed(lambda: WORLDS[name](seed, visits), visits))

    own: dict[str, Callable[[World], Policy]] = {
        PRICESMITH: lambda world: Pricesmith(world, suite.models, seed, over=suite.over),
        BOUNDS[0]: Clairvoyant,
        BOUNDS[1]: fixed,
        HOLD: lambda world: HoldReference(),
        SINGLE: lambda world: WithOpportunityCost(BestPrice(world, lambda visit: ""), world),
        "best price per product": lambda world: WithOpportunityCost(
            BestPrice(world, lambda visit: visit.product), world
        ),
        "Thompson on a logit": lambda world: WithOpportunityCost(ThompsonLogit(world, seed), world),
        "Thompson on a logit, latest 3,000": lambda world: WithOpportunityCost(
            ThompsonLogit(world, seed, window=3_000), world
        ),
        "LightGBM + grid": lambda world: WithOpportunityCost(BoostedGrid(world, seed), world),
    }
    if name == "rooms":
        own["Thompson on a logit, without bid prices"] = lambda world: ThompsonLogit(world, seed)
    if suite.peers is Peers.OWN:
        return own
    return own | {
        "VW CATS": lambda world: WithOpportunityCost(VowpalCats(world, seed), world),
        "VW cb_explore_adf": lambda world: WithOpportunityCost(VowpalAdf(world, seed), world),
        "pybandits dynamic pricing": lambda world: WithOpportunityCost(PybanditsPricing(world, seed), world),
    }


def _line(policy: str, runs: Sequence[Run], by_policy: Mapping[str, Sequence[Run]]) -> Line:
    visits = len(runs[0].profit)
    points = [point for point in CHECKPOINTS if point <= visits] or [visits]
    shares = {point: [float(one.profit[:point].sum() / one.best[:point].sum()) for one in runs] for point in points}
    last = slice(visits - max(1, visits // 5), visits)
    where = np.unique(np.linspace(1, visits, _CURVE_POINTS).astype(int))
    regret = np.mean([np.cumsum(one.best - one.profit) / one.best.mean() for one in runs], axis=0)
    own = by_policy.get(PRICESMITH)
    return Line(
        policy=policy,
        share={point: float(np.mean(values)) for point, values in shares.items()},
        share_low={point: min(values) for point, values in shares.items()},
        share_high={point: max(values) for point, values in shares.items()},
        last_share=float(np.mean([one.profit[last].sum() / one.best[last].sum() for one in runs])),
        surplus=float(np.mean([one.surplus.mean() for one in runs])),
        above_reference=float(np.mean([one.above.mean() for one in runs])),
        breaches=sum(one.breaches for one in runs),
        visits_a_second=visits / float(np.mean([max(1e-9, one.seconds) for one in runs])),
        visit=where.tolist(),
        regret=regret[where - 1].tolist(),
        lead={} if own is None or own is runs else {point: lead(own, runs, point) for point in points},
        profit_tenths=[_shares(one) for one in runs],
        surplus_tenths=[[float(part.mean()) for part in _tenths(one.surplus)] for one in runs],
    )


def lead(own: Sequence[Run], other: Sequence[Run], visits: int) -> tuple[float, float, float]:
    """Estimate the difference in share of attainable profit between `own` and `other` up to a visit.

    Returns the difference and the ends of its 95 % interval, by a paired block bootstrap of visits within seeds. The
    interval covers the randomness of visits and exploration, not the choice of seeds.
    """
    pairs = [
        (_blocks(a.profit[:visits] / a.best[:visits].sum()), _blocks(b.profit[:visits] / b.best[:visits].sum()))
        for a, b in zip(own, other, strict=True)
    ]
    gaps = [first - second for first, second in pairs]
    rng = np.random.default_rng(17)
    drawn = np.zeros(_REDRAWS)
    for gap in gaps:
        drawn += gap[rng.integers(len(gap), size=(_REDRAWS, len(gap)))].sum(axis=1) / len(gaps)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(np.mean([gap.sum() for gap in gaps])), float(low), float(high)


def _blocks(values: Floats) -> Floats:
    return np.add.reduceat(values, np.arange(0, len(values), _BLOCK))


def _shares(one: Run) -> list[float]:
    return [float(p.sum() / b.sum()) for p, b in zip(_tenths(one.profit), _tenths(one.best), strict=True)]


def _tenths(values: Floats) -> list[Floats]:
    return np.array_split(values, 10)
