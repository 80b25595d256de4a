"""Fit of the grocery simulator to the demo store: `python -m eval.simulators.grocery_fit` writes `grocery.json`.

A logit of purchase incidence on the panel of `models.training.panel` (weeks 9-40), with level and price slope per
product, both shrunk towards the mean product, and shared effects of previous purchase and income. The offset -log(rate)
corrects for the sampling of negatives (Prentice and Pyke 1979). The file has parameters and category names of the
thirty most bought products; no data are copied.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack

from models.arrays import Floats
from models.datasets.complete_journey import DEMO, read_journey
from models.training.panel import Panel, PanelBuilder, PanelConfig

FILE: Final = Path(__file__).parent / "grocery.json"
INCOMES: Final = ("low", "middle", "high", "unknown")
_LOW: Final = frozenset({"Under 15K", "15-24K", "25-34K"})
_HIGH: Final = frozenset({"100-124K", "125-149K", "150-174K", "175-199K", "200-249K", "250K+"})
_PRODUCTS: Final = 300  # fitted together, for precise shared effects
_KEPT: Final = 30
_LEVEL_SD: Final = 1.5
_SLOPE_SD: Final = 0.5
_CONFIG: Final = PanelConfig(first_week=9, last_week=40, products=_PRODUCTS, with_features=False)


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects (level, slope) of a previous purchase and of each income."""

    bought_before: tuple[float, float]
    income: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fitted logit: level and slope by product (the slope is the elasticity, as purchases are rare), shared effects."""

    level: Floats
    slope: Floats
    effects: Effects
    rows: int
    bought: int


def income_of(description: object) -> str:
    """Map an income band of the demo data to one of `INCOMES`."""
    if not isinstance(description, str):
        return "unknown"
    return "low" if description in _LOW else "high" if description in _HIGH else "middle"


def fit(panel: Panel, income: dict[int, str], products: list[int]) -> Fitted:
    """Fit levels and slopes by penalised maximum likelihood."""
    column = {product: place for place, product in enumerate(products)}
    own = np.asarray([column[int(product)] for product in panel.product])
    groups = np.asarray([INCOMES.index(income.get(int(h), "unknown")) for h in panel.household])
    n, p = len(own), len(products)
    shared = np.stack([np.ones(n), panel.stratum_a, *(groups == g for g in range(len(INCOMES) - 1))], axis=1)
    product = csr_matrix((np.ones(n), (np.arange(n), own)), shape=(n, p))
    half = hstack([csr_matrix(shared), product]).tocsr()
    x = hstack([half, half.multiply(-panel.log_ratio[:, None].astype(np.float64))]).tocsr()
    k = shared.shape[1]
    precision = np.concatenate([np.zeros(k), np.full(p, _LEVEL_SD**-2), np.zeros(k), np.full(p, _SLOPE_SD**-2)])
    rate = np.where(panel.stratum_a, _CONFIG.rate_a, _CONFIG.rate_b)
    y, offset = panel.bought.astype(np.float64), -np.log(rate)

    def loss(beta: Floats) -> tuple[float, Floats]:
        logit = x @ beta + offset
        chance = 0.5 * (1 + np.tanh(0.5 * logit))
        value = np.logaddexp(0, logit).sum() - y @ logit + 0.5 * (precision * beta**2).sum()
        return float(value), np.asarray(x.T @ (chance - y) + precision * beta)

    beta = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    level, slope = beta[: k + p], beta[k + p :]
    incomes = {name: (float(level[2 + g]), float(slope[2 + g])) for g, name in enumerate(INCOMES[:-1])}
    return Fitted(
        level[0] + level[k:],
        slope[0] + slope[k:],
        Effects((float(level[1]), float(slope[1])), {**incomes, "unknown": (0.0, 0.0)}),
        n,
        int(y.sum()),
    )


def main() -> None:
    """Fit the demo data and write `grocery.json`."""
    journey = read_journey()
    builder = PanelBuilder(journey, _CONFIG)
    panel = builder.build()
    people = journey.demographics
    income = {int(h): income_of(i) for h, i in zip(people["household_id"], people["income"], strict=True)}
    found = fit(panel, income, builder.products)
    category = dict(zip(journey.products["product_id"], journey.products["category"], strict=True))
    bought = [float(panel.bought[panel.product == product].sum()) for product in builder.products]
    kept = sorted(np.argsort(bought)[-_KEPT:].tolist())
    reference = {p: float(np.median(panel.reference_minor[panel.product == p])) for p in builder.products}
    table: list[dict[str, Any]] = [
        {
            "category": category[builder.products[place]],
            "reference_minor": round(reference[builder.products[place]]),
            "level": round(float(found.level[place]), 4),
            "elasticity": round(float(found.slope[place]), 4),
        }
        for place in kept
    ]
    households = np.unique(panel.household)
    known = np.asarray([INCOMES.index(income.get(int(h), "unknown")) for h in households])
    facts = {
        "provenance": f"{DEMO} (simulated, for education only), weeks 9-40, {found.rows} sampled rows of {_PRODUCTS} "
        f"products, {found.bought} purchases; made by python -m eval.simulators.grocery_fit",
        "bought_before_share": round(float(np.average(panel.stratum_a, weights=panel.weight)), 4),
        "income_share": {name: round(float((known == g).mean()), 4) for g, name in enumerate(INCOMES)},
        "mean_elasticity": round(float(found.slope.mean()), 4),
        "effects": asdict(found.effects),
        "products": table,
    }
    FILE.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    sys.stdout.write(json.dumps({key: facts[key] for key in facts if key != "products"}, indent=1) + "\n")


if __name__ == "__main__":
    main()
