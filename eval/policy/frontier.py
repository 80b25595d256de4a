"""Pareto frontier of profit and consumer surplus over the merchant's weights, on one simulated shop."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import pyplot as plt

from eval.page import svg
from eval.policy.policies import BestPrice, HoldReference, Policy
from eval.policy.pricesmith import Pricesmith
from eval.policy.runs import Run, run
from eval.policy.suites import FIRST_SEED, SINGLE, WORLDS
from eval.simulators import World
from models.evaluator.utility import Weights
from models.progress import Progress

WORLD: Final = "courses"
SHARES: Final = (1.0, 0.8, 0.6, 0.4, 0.2)  # weight of profit; purchases and satisfaction share the rest equally


@dataclass(frozen=True, slots=True)
class Point:
    """Results of one setting over all seeds, on the last fifth of the visits.

    Attributes:
        name: Weights of profit, purchases and satisfaction, or the name of another policy.
        share: Share of the attainable profit.
        surplus: Mean expected consumer surplus per visit, over the reference price.
        price: Mean price over the reference.
        above_reference: Share of prices above the reference.
    """

    name: str
    share: float
    surplus: float
    price: float
    above_reference: float


def frontier(models: Path, visits: int, seeds: int, progress: Progress) -> list[Point]:
    """Run Pricesmith with each setting of the weights, then the non-personalised policies."""
    found = []
    for place, share in enumerate(SHARES):
        rest = (1 - share) / 2
        weights = Weights(share, rest, rest)
        progress(f"weights: profit {share:g}", place / len(SHARES))
        runs = [run(world, Pricesmith(world, models, seed, weights), visits) for seed, world in _worlds(visits, seeds)]
        found.append(_point(f"{share:g} / {rest:.2g} / {rest:.2g}", runs))
    others: dict[str, list[Run]] = {SINGLE: [], "hold reference": []}
    for _, world in _worlds(visits, seeds):
        policy: Policy = BestPrice(world, lambda visit: "")
        others[SINGLE].append(run(world, policy, visits))
    for _, world in _worlds(visits, seeds):
        others["hold reference"].append(run(world, HoldReference(), visits))
    progress("done", 1.0)
    return found + [_point(name, runs) for name, runs in others.items()]


COLUMNS: Final = ("profit / purchases / satisfaction", "share of attainable", "surplus", "mean price", "above")


def rows(points: Sequence[Point]) -> list[list[str]]:
    """Format points as table rows."""
    return [
        [one.name, f"{one.share:.1%}", f"{one.surplus:.3f}", f"{one.price:.3f}", f"{one.above_reference:.0%}"]
        for one in points
    ]


def picture(points: Sequence[Point]) -> str:
    """Plot the frontier as inline SVG."""
    figure, axes = plt.subplots(figsize=(6, 4))
    own = points[: len(SHARES)]
    axes.plot([p.surplus for p in own], [p.share for p in own], "o-", label="Pricesmith by weights")
    for point in own:
        axes.annotate(point.name.split(" ")[0], (point.surplus, point.share), xytext=(4, 4), textcoords="offset points")
    for point, mark in zip(points[len(SHARES) :], ("s", "^"), strict=True):
        axes.plot([point.surplus], [point.share], mark, label=point.name)
    axes.set(xlabel="consumer surplus of a visit", ylabel="share of attainable profit", title="Frontier, last fifth")
    axes.legend()
    return svg(figure)


def _worlds(visits: int, seeds: int) -> list[tuple[int, World]]:
    return [(seed, WORLDS[WORLD](seed, visits)) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]


def _point(name: str, runs: Sequence[Run]) -> Point:
    last = slice(-max(1, len(runs[0].profit) // 5), None)
    return Point(
        name,
        float(np.mean([one.profit[last].sum() / one.best[last].sum() for one in runs])),
        float(np.mean([one.surplus[last].mean() for one in runs])),
        float(np.mean([one.price[last].mean() for one in runs])),
        float(np.mean([one.above[last].mean() for one in runs])),
    )
