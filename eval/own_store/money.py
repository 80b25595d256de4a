"""Profit of prices quoted after training on logged outcomes, beside peers with a grid, on shops with known demand.

Everyone learns from the same log and prices the same later offers between the lowest and the highest price ever logged
of a product; Pricesmith imports, trains and quotes by its own commands, on profit alone and without exploration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from agent.cli.output import print_table
from eval.over_shops import paired
from eval.own_store.logged_shops import FAMILIES, LoggedShop, logged_shop
from eval.real.peers import Demand, peers_of
from eval.real.shop import RealShop, sampled, template_shop
from models.arrays import Floats
from models.progress import Progress

PRICESMITH: Final = "Pricesmith"
HOLD: Final = "hold reference"
MONEY_SIZES: Final = (2_000, 20_000)
RULES: Final = {"never_above_reference": False, "max_discount_frac": 1.0}
_GRID: Final = 200


@dataclass(frozen=True, slots=True)
class Earned:
    """Expected profit over the attainable one on one shop, by policy."""

    family: str
    far: bool
    seed: int
    size: int
    share: dict[str, float]


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """Means over shops: share of the attainable profit by policy, and Pricesmith's lead with a 95 % interval."""

    where: str
    size: int
    shops: int
    share: dict[str, float]
    lead: dict[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class MoneySuite:
    """Shops and sizes to run: of every family, `seeds` near and `seeds` far ones."""

    sizes: tuple[int, ...] = MONEY_SIZES
    seeds: int = 2
    first_seed: int = 100
    families: tuple[str, ...] = FAMILIES


def run_money(suite: MoneySuite, progress: Progress, folder: Path | None = None) -> list[Earned]:
    """Train and quote on every shop; in `folder`, if given, their stores are kept."""
    plan = [
        (size, family, far, seed)
        for seed in range(suite.first_seed, suite.first_seed + suite.seeds)
        for family in suite.families
        for far in (True, False)
        for size in suite.sizes
    ]
    found = []
    with TemporaryDirectory(prefix="pricesmith-money-") as made:
        root = folder or Path(made)
        template = template_shop(root / "template", "USD", progress)
        for number, (size, family, far, seed) in enumerate(plan):
            shop = logged_shop(family, far=far, seed=seed, known=size)
            progress(f"money: {shop.data.name} outcomes", number / len(plan))
            found.append(Earned(family, far, seed, size, _shares(shop, template, root / f"shop-{number}", progress)))
    progress("money: done", 1.0)
    return found


def _shares(shop: LoggedShop, template: Path, folder: Path, progress: Progress) -> dict[str, float]:
    data, rows = shop.data, sampled(np.flatnonzero(shop.data.test))
    own = RealShop(data, template, folder, RULES)
    own.train(progress)
    reference, cost = (data.offers[name].to_numpy(np.float64) for name in ("reference_price", "cost"))
    price = reference.copy()
    price[rows] = own.quoted(rows)
    prices = {PRICESMITH: price, HOLD: reference}
    prices |= {name: _best_price(demand, shop, cost) for name, demand in peers_of(data).items()}
    attainable = _profit(shop, _best_price(shop.demand, shop, cost), cost)[rows].sum()
    return {name: float(_profit(shop, at, cost)[rows].sum() / attainable) for name, at in prices.items()}


def _profit(shop: LoggedShop, price: Floats, cost: Floats) -> Floats:
    return np.asarray((price - cost) * shop.demand(price))


def _best_price(demand: Demand, shop: LoggedShop, cost: Floats) -> Floats:
    """The price of most profit on a grid between the limits of each row."""
    low, high = np.log(shop.limits).T
    best, most = shop.limits[:, 0].copy(), np.full(len(cost), -np.inf)
    for share in np.linspace(0, 1, _GRID):
        price = np.exp(low + share * (high - low))
        profit = (price - cost) * demand(price)
        better = profit > most
        best[better], most[better] = price[better], profit[better]
    return best


def money_lines(found: Sequence[Earned]) -> list[MoneyLine]:
    """Summarise by size, for shops near and far and for each family."""
    lines = []
    for size in dict.fromkeys(one.size for one in found):
        of_size = [one for one in found if one.size == size]
        groups = {"all": of_size, "near": [o for o in of_size if not o.far], "far": [o for o in of_size if o.far]}
        groups |= {
            family: [o for o in of_size if o.family == family] for family in dict.fromkeys(o.family for o in found)
        }
        lines += [_line(where, size, group) for where, group in groups.items() if group]
    return lines


def _line(where: str, size: int, group: Sequence[Earned]) -> MoneyLine:
    names = list(group[0].share)
    shares = {name: np.asarray([one.share[name] for one in group]) for name in names}
    return MoneyLine(
        where=where,
        size=size,
        shops=len(group),
        share={name: float(values.mean()) for name, values in shares.items()},
        lead={name: paired(shares[PRICESMITH] - values) for name, values in shares.items() if name != PRICESMITH},
    )


def money_regressions(lines: Sequence[MoneyLine]) -> list[str]:
    """Describe peers whose prices surely earn more over all shops."""
    return [
        f"{line.size:,} outcomes: {peer} earns {-lead[0]:.1%} of the attainable more"
        for line in lines
        if line.where == "all"
        for peer, lead in line.lead.items()
        if lead[2] < 0
    ]


def print_money(lines: Sequence[MoneyLine]) -> None:
    """Print one table a size."""
    for size in dict.fromkeys(line.size for line in lines):
        of_size = [line for line in lines if line.size == size]
        peers = list(of_size[0].lead)
        rows = [
            [
                f"{line.where} ({line.shops})",
                *(f"{share:.3f}" for share in line.share.values()),
                *("{:+.3f} ({:+.3f} to {:+.3f})".format(*line.lead[peer]) for peer in peers if peer != HOLD),
            ]
            for line in of_size
        ]
        columns = ("shops", *of_size[0].share, *(f"over {peer}" for peer in peers if peer != HOLD))
        print_table(f"{size:,} outcomes: share of the attainable profit", columns, rows)
