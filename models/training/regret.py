"""Regret of a strategist's proposals.

Regret is the gap in utility to a dense search over whole-percent moves from the reference and all strategies of the
grammar, in percent of that search's best. Prices above the reference count as the reference where the gateway would
lower them. Rounding is ignored, as situations have no amounts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.strategist.proposals import ProposalRequest, Written
from models.strategist.strategist import Strategist
from models.strategist.strategy import MOVES, Lever, Strategy
from models.training.situations import Situation
from models.training.soft_targets import best_attainable

K: Final = 8
HEURISTIC_MOVES: Final = (0, -5, -10, -15, -20, -25, 5, 10)
_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class RegretMeasurement:
    """Proposals and regret, one entry per situation.

    Attributes:
        written: The strategist's proposals, best first.
        regret_pct: `(n,)` each for the strategist's `first` and `best_of_8`, and for `hold`, `random_8` and
            `heuristic_8`.
    """

    situations: Sequence[Situation]
    written: list[list[Written]]
    regret_pct: dict[str, Floats]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether a situation has proposals and all of them are allowed in it, `(n,)`."""
        return np.asarray(
            [
                bool(items) and all(_possible(situation, item.strategy) for item in items)
                for situation, items in zip(self.situations, self.written, strict=True)
            ]
        )

    @property
    def distinct(self) -> NDArray[np.int64]:
        """Number of distinct strategies, `(n,)`."""
        return np.asarray([len({item.strategy for item in items}) for items in self.written])


def measure(
    strategist: Strategist, situations: Sequence[Situation], render: Callable[[Situation], str], seed: int = 17
) -> RegretMeasurement:
    """Measure the regret of the strategist's proposals; `seed` is for the random candidates of `random_8`."""
    rng = np.random.default_rng(seed)
    written: list[list[Written]] = []
    for start in range(0, len(situations), _BATCH):
        written += strategist.propose([request(s, render) for s in situations[start : start + _BATCH]], K)
    rows = [_regrets(s, items, rng) for s, items in zip(situations, written, strict=True)]
    return RegretMeasurement(situations, written, {name: np.asarray([row[name] for row in rows]) for name in rows[0]})


def strategist_metrics(measured: RegretMeasurement) -> dict[str, float]:
    """Average the measurement to metrics for `meta.json`."""
    found = {f"regret_pct_{name}": float(values.mean()) for name, values in measured.regret_pct.items()}
    return found | {"distinct_of_8": float(measured.distinct.mean()), "valid_share": float(measured.valid.mean())}


def request(situation: Situation, render: Callable[[Situation], str]) -> ProposalRequest:
    """Build the strategist's input for a situation."""
    return ProposalRequest(render(situation), situation.facts.levers(), situation.facts.anchors())


def price_ratio(situation: Situation, strategy: Strategy) -> float:
    """Compute the price over the reference of a strategy, after the gateway."""
    anchor = situation.anchor_ratio(strategy.anchor)
    if anchor is None:
        raise AssertionError("the grammar allows only anchors with a known price")
    ratio = anchor * (1 + strategy.move_pct / 100)
    return ratio if situation.facts.may_rise else min(1.0, ratio)


def _regrets(situation: Situation, items: Sequence[Written], rng: np.random.Generator) -> dict[str, float]:
    random = rng.integers(MOVES[0], MOVES[-1] + 1, K).tolist()
    values = [situation.capped_value(price_ratio(situation, item.strategy)) for item in items]
    found = {
        "first": values[0],
        "best_of_8": max(values),
        "hold": situation.capped_value(1.0),
        "random_8": max(situation.capped_value(1 + move / 100) for move in random),
        "heuristic_8": max(situation.capped_value(1 + move / 100) for move in HEURISTIC_MOVES),
    }
    best = best_attainable(situation)
    return {name: 100 * (best - value) / abs(best) for name, value in found.items()}


def _possible(situation: Situation, strategy: Strategy) -> bool:
    """Whether lever and anchor are available; `Strategy` itself has checked the rest of the grammar."""
    return strategy.lever in situation.facts.levers() | {Lever.HOLD} and strategy.anchor in situation.facts.anchors()
