"""Suite of redrawn shops: shares of attainable profit with paired intervals over shops, not over visitors of one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from eval.over_shops import paired
from eval.policy.policies import BestPrice, BoostedGrid, HoldReference, Policy, ThompsonLogit
from eval.policy.pricesmith import Pricesmith
from eval.policy.runs import Run, run
from eval.policy.suites import HOLD, PRICESMITH, SINGLE
from eval.simulators import World
from eval.simulators.redrawn import Family, RedrawnShop
from models.evaluator.utility import Weights
from models.progress import Progress

FIRST_SHOP: Final = 100  # shops below are reserved for tuning
SHOPS: Final = 20

Make = Callable[[World, int], Policy]


@dataclass(frozen=True, slots=True)
class RedrawnLine:
    """Results of one policy on the shops of one family.

    Attributes:
        share: Mean share of attainable profit over shops; `worst` is that of the worst shop.
        lead: Pricesmith's share less this policy's: mean and ends of its 95 % interval over shops; None for itself.
        surplus: Mean expected consumer surplus of a visit.
    """

    family: str
    policy: str
    share: float
    worst: float
    surplus: float
    lead: tuple[float, float, float] | None


COLUMNS: Final = ("demand", "policy", "share", "worst shop", "Pricesmith's lead", "surplus")


def redrawn(models: Path, visits: int, shops: int, only: Sequence[str], progress: Progress) -> list[RedrawnLine]:
    """Run the policies (all, or `only` some) on `shops` redrawn shops of each family."""
    found: list[RedrawnLine] = []
    makes = {name: make for name, make in policies(models).items() if not only or name in only}
    for place, family in enumerate(Family):
        runs: dict[str, list[Run]] = {name: [] for name in makes}
        for shop in range(FIRST_SHOP, FIRST_SHOP + shops):
            done = (shop - FIRST_SHOP) / shops
            for name, make in makes.items():
                progress(f"{family}, shop {shop}: {name}", (place + done) / len(Family))
                world = RedrawnShop(shop, shop, family)
                runs[name].append(run(world, make(world, shop), visits))
        found += _lines(family, runs)
    progress("done", 1.0)
    return found


def policies(models: Path) -> dict[str, Make]:
    """Policies of the suite by name."""
    return {
        PRICESMITH: lambda world, seed: Pricesmith(world, models, seed),
        "Pricesmith, shipped weights": lambda world, seed: Pricesmith(world, models, seed, Weights()),
        "Thompson on a logit": ThompsonLogit,
        "LightGBM + grid": BoostedGrid,
        SINGLE: lambda world, _: BestPrice(world, lambda visit: ""),
        HOLD: lambda *_: HoldReference(),
    }


def rows(lines: Sequence[RedrawnLine]) -> list[list[str]]:
    """Format lines as table rows."""
    return [
        [
            line.family,
            line.policy,
            f"{line.share:.1%}",
            f"{line.worst:.1%}",
            "" if line.lead is None else "{:+.1%} ({:+.1%} to {:+.1%})".format(*line.lead),
            f"{line.surplus:.3f}",
        ]
        for line in lines
    ]


def _lines(family: Family, runs: Mapping[str, Sequence[Run]]) -> list[RedrawnLine]:
    shares = {name: [float(one.profit.sum() / one.best.sum()) for one in own] for name, own in runs.items()}
    ours = shares.get(PRICESMITH)
    found = []
    for name, own in runs.items():
        lead = None
        if ours is not None and name != PRICESMITH:
            lead = paired([a - b for a, b in zip(ours, shares[name], strict=True)])
        surplus = float(np.mean([one.surplus.mean() for one in own]))
        found.append(RedrawnLine(str(family), name, float(np.mean(shares[name])), min(shares[name]), surplus, lead))
    return found
