"""A stage of the pipeline replaced: a selection of one's own in place of the merchant's weights.

    python examples/own_stage.py --data-dir data --product 1082185

Prices one product with the shipped selection and with `MostProfit`, and prints both. Nothing is recorded. Run it where
Pricesmith is installed and prepared.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.domain.clock import SystemClock
from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.flow import Flow, Selected
from agent.pricing.select import Selector
from agent.service.assembly import build_components
from agent.service.components import Components
from agent.service.opening import open_store
from agent.service.service import Service
from agent.service.settings import Settings


class MostProfit(Selector):
    """Takes the highest expected profit among candidates that shoppers like nearly as well as the best."""

    def __init__(self, least_share: float = 0.5) -> None:
        """`least_share` is the satisfaction that a candidate must reach, as a share of the best candidate's."""
        super().__init__(np.random.default_rng, greedy=True)
        self._least_share = least_share

    def select(self, flow: Flow) -> None:
        """Add `selected`. Prices that were promised to a shopper stand; the shipped selection knows which do."""
        super().select(flow)
        flow.selected = [
            one if one.standing is not None else self._own(flow, row) for row, one in enumerate(flow.selected)
        ]

    def greedy(self) -> "MostProfit":
        """For counterfactuals: this selection leaves nothing to chance anyway."""
        return self

    def drawing_from(self, rng: Callable[[], np.random.Generator]) -> "MostProfit":
        """It draws nothing."""
        return self

    def _own(self, flow: Flow, row: int) -> Selected:
        """The choice by this selection's own rule, with the propensity that belongs to it: 1, as nothing is drawn."""
        count = int(flow.scored.count[row])
        profit, satisfaction = flow.scored.profit[row, :count], flow.scored.satisfaction[row, :count]
        liked = satisfaction >= self._least_share * satisfaction.max()
        index = int(np.where(liked, profit, -np.inf).argmax())
        chances = [float(place == index) for place in range(count)]
        return Selected(index, chances, 1.0, flow.selected[row].confidence, abstained=False)


def with_own_stage(components: Components) -> Components:
    """The parts of a service, with the fifth step replaced."""
    return replace(components, pipeline=replace(components.pipeline, selector=MostProfit()))


def main() -> int:
    """Price one product both ways."""
    parser = argparse.ArgumentParser(description="A quote by the shipped selection, and by one of one's own.")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--product", required=True, help="id of a product that the store knows")
    parser.add_argument("--shopper", help="id of a shopper")
    asked = parser.parse_args()
    request = QuoteRequest.model_validate({"shopper": {"id": asked.shopper}, "product": {"id": asked.product}})
    settings, clock = Settings(data_dir=asked.data_dir), SystemClock()
    store = open_store(settings, clock)
    components = build_components(settings, store, clock, None)
    shipped = components.pipeline.counterfactual().quote([request], clock.now())[0]

    def rebuilt(running: Components) -> Components:
        """After other model versions are activated."""
        return with_own_stage(build_components(settings, store, clock, running))

    service = Service(with_own_stage(components), rebuilt)
    try:
        own = service.drafts([request])[0]  # `quote` would record it
    finally:
        service.close()
    for name, answer in (("shipped", shipped), ("own", own)):
        sys.stdout.write(f"{name}: {_told(answer)}\n")
    return 0


def _told(answer: Decision | Refusal) -> str:
    if isinstance(answer, Refusal):
        return answer.detail
    profit = f"{answer.scores.profit.value:.2f}" if answer.scores is not None else "unknown"
    return f"price {answer.price_minor}, reference {answer.reference_minor}, expected profit {profit} (minor units)"


if __name__ == "__main__":
    sys.exit(main())
