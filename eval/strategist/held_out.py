"""Held-out situations: households and products that the strategist was not trained on, in the weeks of a split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from eval.demand.protocol import PANEL, Demand, Ints
from models.datasets.complete_journey import read_journey
from models.evaluator.evaluator import Evaluator
from models.evaluator.utility import Weights
from models.shopper.features import FEATURES
from models.training.demo_panel import item_products
from models.training.item_affinity import TasteTrainingConfig
from models.training.panel import panel_products
from models.training.situations import (
    Conditions,
    RowFacts,
    Situation,
    draw_conditions,
    is_held_out,
    make_situations,
    row_facts,
)

SITUATIONS: Final = 1500
_INTEREST: Final = -2  # column of `EvaluatorData.numeric`


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out rows with conditions, from which situations can be made under changed conditions too."""

    demand: Demand
    rows: Ints
    known: Sequence[RowFacts]
    conditions: Sequence[Conditions]
    evaluator: Evaluator

    def situations(self, change: Callable[[Conditions], Conditions] = lambda unchanged: unchanged) -> list[Situation]:
        """Make one situation per row after applying `change` to its conditions."""
        conditions = [change(condition) for condition in self.conditions]
        return make_situations(self.evaluator, self.demand.situations(self.rows), self.known, conditions, Weights())

    def at(self, places: Ints) -> "HeldOut":
        """Select rows by position."""
        known, conditions = [self.known[place] for place in places], [self.conditions[place] for place in places]
        return replace(self, rows=self.rows[places], known=known, conditions=conditions)


def held_out_rows(demand: Demand, evaluator: Evaluator, split: str, count: int = SITUATIONS) -> HeldOut:
    """Sample rows of held-out households and products, and draw conditions for them."""
    journey = read_journey()
    products = item_products(journey, panel_products(journey.receipts, PANEL.products), TasteTrainingConfig())
    category = journey.products.set_index("product_id")["category"].to_dict()
    data, rows = demand.data, demand.rows(split)
    product = np.asarray(products)[data.product_row[rows]]
    unseen = is_held_out(product) & is_held_out(data.cluster[rows])
    rng = np.random.default_rng(41)
    chosen = np.sort(rng.choice(np.flatnonzero(unseen), min(count, int(unseen.sum())), replace=False))
    known = [
        row_facts(
            data.numeric[row, : len(FEATURES)], str(category[int(item)]), float(data.numeric[row, _INTEREST]), rng
        )
        for row, item in zip(rows[chosen], product[chosen], strict=True)
    ]
    return HeldOut(demand, rows[chosen], known, [draw_conditions(rng) for _ in known], evaluator)
