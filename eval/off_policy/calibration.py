"""Accuracy of the estimators on simulated logs with known truth: bias, error and interval coverage.

The logging policy randomises prices around a rule of thumb. One target policy has prices of the log (`on support`), the
other prices between them (`off support`). The truth is their expected profit over all simulated visits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from eval.off_policy.estimators import Estimator, OffPolicyEvaluator
from eval.off_policy.intervals import Estimate, bootstrap
from eval.off_policy.obp_peer import available, obp_values
from eval.off_policy.sample import Sample, Target
from eval.policy.policies import Clairvoyant, VisitDesign
from eval.simulators import Courses, Loans, Visit, World
from models.arrays import Floats
from models.progress import Progress

WORLDS: Final[dict[str, Callable[[int], World]]] = {"courses": Courses, "loans": Loans}
VISITS: Final = 2_000
LOGS: Final = 200
_PRICES: Final = 9
_FREE: Final = 0.3  # share of prices shown uniformly at random
_WIDTH: Final = 0.15
_EVERYWHERE: Final = (Estimator.DM, Estimator.KERNEL_SNIPS, Estimator.KERNEL_DR)
_RULE: Final = 0.9  # the rule of thumb is biased: this share of the optimal price


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy of one estimator for one policy on one shop, over all logs.

    Attributes:
        bias, rmse: Relative to the truth.
        coverage: Share of 95 % intervals that contain the truth; None for peers.
        width: Mean width of the intervals relative to the truth.
    """

    world: str
    target: str
    estimator: str
    bias: float
    rmse: float
    coverage: float | None = None
    width: float | None = None


@dataclass(frozen=True, slots=True)
class SimulatedLog:
    """Simulated log with its truth.

    Attributes:
        demand: True purchase probability at the support, `(n, k)`.
        ideal: Optimal price ratio of each visit, `(n,)`; `nearest`: the nearest price of the support.
    """

    visits: Sequence[Visit]
    sample: Sample
    demand: Floats
    ideal: Floats
    nearest: Floats

    def targets(self) -> tuple[Target, Target]:
        """Target policies to evaluate."""
        return Target.of("on support", self.nearest), Target.of("off support", self.ideal)

    def truth(self, target: Target) -> float:
        """True expected profit per visit."""
        price = target.price[:, 0]
        chance = np.asarray([float(v.probability(p)) for v, p in zip(self.visits, price.tolist(), strict=True)])
        return float((chance * self.sample.margin(price)).mean())


def simulate_log(world: World, visits: int, seed: int) -> SimulatedLog:
    """Simulate the log of a randomised policy on a shop."""
    found = [visit for _ in range(visits // 100) for visit in world.visits(100)]
    grid = world.limits.grid
    support = grid[np.linspace(0, len(grid) - 1, _PRICES).round().astype(int)]
    ideal = np.asarray(Clairvoyant(world).prices(found))
    pull = np.exp(-np.abs(np.log(support)[None] - np.log(_RULE * ideal)[:, None]) / _WIDTH)
    chance = _FREE / _PRICES + (1 - _FREE) * pull / pull.sum(axis=1, keepdims=True)
    rng = np.random.default_rng((seed, 29))
    index = (chance.cumsum(axis=1) < rng.random(len(found))[:, None]).sum(axis=1).clip(max=_PRICES - 1)
    demand = np.stack([visit.probability(support) for visit in found])
    design = VisitDesign()
    design.fit(found[:VISITS])
    row = np.arange(len(found))
    sample = Sample(
        support=np.repeat(support[None], len(found), 0),
        chance=chance,
        shown=support[index],
        propensity=chance[row, index],
        bought=(rng.random(len(found)) < demand[row, index]).astype(np.float64),
        cost=np.asarray([visit.cost for visit in found]),
        worth=np.ones(len(found)),
        context=design.rows(found),
        cluster=row,
    )
    nearest = support[np.abs(np.log(support)[None] - np.log(ideal)[:, None]).argmin(axis=1)]
    return SimulatedLog(found, sample, demand, ideal, nearest)


def calibrate(progress: Progress, logs: int = LOGS, visits: int = VISITS) -> list[Accuracy]:
    """Measure the accuracy of every estimator on every shop."""
    found = []
    for world, make in WORLDS.items():
        drawn = simulate_log(make(1), logs * visits, seed=1)
        for target in drawn.targets():
            found += _accuracy(world, drawn, target, visits, progress)
    return found


def _accuracy(world: str, drawn: SimulatedLog, target: Target, visits: int, progress: Progress) -> list[Accuracy]:
    truth = drawn.truth(target)
    on_support = target.name == "on support"
    names = list(Estimator) if on_support else list(_EVERYWHERE)
    intervals: dict[str, list[Estimate]] = {name.value: [] for name in names}
    peers: dict[str, list[float]] = {}
    logs = len(drawn.visits) // visits
    for log in range(logs):
        progress(f"{world}, {target.name}", log / logs)
        rows = np.arange(log * visits, (log + 1) * visits)
        evaluator, own = OffPolicyEvaluator.of(drawn.sample.rows(rows)), target.rows(rows)
        for name in names:
            intervals[name.value].append(bootstrap(evaluator.terms(own, name), evaluator.sample.cluster, seed=log))
        if on_support and available():
            for peer, value in obp_values(evaluator.sample, own).items():
                peers.setdefault(peer, []).append(value)
    found = [_summary((world, target.name, name), estimates, truth) for name, estimates in intervals.items()]
    return found + [_error((world, target.name, name), np.asarray(values), truth) for name, values in peers.items()]


def _summary(of: tuple[str, str, str], estimates: Sequence[Estimate], truth: float) -> Accuracy:
    value, low, high = np.asarray([(one.value, one.low, one.high) for one in estimates]).T
    return replace(
        _error(of, value, truth),
        coverage=float(((low <= truth) & (truth <= high)).mean()),
        width=float((high - low).mean() / truth),
    )


def _error(of: tuple[str, str, str], value: Floats, truth: float) -> Accuracy:
    bias = float((value - truth).mean() / truth)
    return Accuracy(*of, bias=bias, rmse=float(np.sqrt(((value - truth) ** 2).mean()) / truth))
