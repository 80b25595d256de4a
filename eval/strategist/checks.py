"""Sensitivity checks: proposals must change as expected with more stock, or with a cheaper competitor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eval.strategist.held_out import HeldOut
from models.strategist.proposals import Written
from models.strategist.strategist import Strategist
from models.strategist.strategy import Lever
from models.training.regret import RegretMeasurement, measure, price_ratio
from models.training.situations import Conditions, Situation

STOCK_FACTOR: Final = 4
RIVAL_FACTOR: Final = 0.85
_NEAR: Final = 0.01
_GAIN_PCT: Final = 2.0
_NO_GAIN_PCT: Final = 0.2

Render = Callable[[Situation], str]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Check:
    """Share of situations that pass, nan if there are none, and their number."""

    share: float
    situations: int


def sensitivity(
    strategist: Strategist, unseen: HeldOut, measured: RegretMeasurement, render: Render
) -> dict[str, Check]:
    """Run all checks; `measured` is the regret of the unchanged situations of `unseen`."""
    return holding(measured) | {
        "four times the stock: deeper clear-stock move": more_stock(strategist, unseen, measured, render),
        "rival 15 % cheaper: matched or undercut": cheaper_rival(strategist, unseen, measured, render),
    }


def holding(measured: RegretMeasurement) -> dict[str, Check]:
    """Check that first choices hold the reference price if no move gains 0.2 %, and leave it if one gains 2 %."""
    held = np.asarray(
        [abs(_first(s, w) - 1) <= _NEAR for s, w in zip(measured.situations, measured.written, strict=True)]
    )
    gain = measured.regret_pct["hold"]
    return {
        "no move gains .2 %: holds": _check(held[gain <= _NO_GAIN_PCT]),
        "a move gains 2 %: moves": _check(~held[gain >= _GAIN_PCT]),
    }


def more_stock(strategist: Strategist, unseen: HeldOut, measured: RegretMeasurement, render: Render) -> Check:
    """Check that the first clear-stock move is deeper where four times the stock lowers the best price by 2 points."""
    rows = np.flatnonzero([situation.facts.stock == "normal" for situation in measured.situations])

    def restocked(condition: Conditions) -> Conditions:
        units = STOCK_FACTOR * (condition.stock.inventory or 0)
        return replace(condition, stock=replace(condition.stock, inventory=units))

    changed = measure(strategist, unseen.at(rows).situations(restocked), render)
    deeper = []
    for before, written_before, after, written_after in _pairs(measured, rows, changed):
        if after.best_ratio <= min(before.best_ratio, 1.0) - 0.02:
            deeper.append(_clearing(after, written_after) < _clearing(before, written_before))
    return _check(np.asarray(deeper, np.bool_))


def cheaper_rival(strategist: Strategist, unseen: HeldOut, measured: RegretMeasurement, render: Render) -> Check:
    """Check that the first choice matches or undercuts a competitor that cut its price, where that is best."""
    rows = np.flatnonzero([situation.facts.rival_ratio is not None for situation in measured.situations])
    situations = unseen.at(rows).situations(lambda c: replace(c, rival=RIVAL_FACTOR * c.rival))
    changed = measure(strategist, situations, render)
    follows = []
    for before, _, after, written in _pairs(measured, rows, changed):
        rival = after.facts.rival_ratio or 1.0
        if rival < 1.0 and after.best_ratio <= rival * (1 + _NEAR) and after.best_ratio < before.best_ratio:
            follows.append(_first(after, written) <= rival * (1 + _NEAR))
    return _check(np.asarray(follows, np.bool_))


def _pairs(
    before: RegretMeasurement, rows: NDArray[np.int64], after: RegretMeasurement
) -> list[tuple[Situation, list[Written], Situation, list[Written]]]:
    """Pair situations and proposals before and after a change."""
    return [
        (before.situations[row], before.written[row], after.situations[place], after.written[place])
        for place, row in enumerate(rows)
    ]


def _first(situation: Situation, written: Sequence[Written]) -> float:
    return price_ratio(situation, written[0].strategy)


def _clearing(situation: Situation, written: Sequence[Written]) -> float:
    """Price ratio of the best-ranked clear-stock move, 1 if there is none."""
    ratios = (price_ratio(situation, w.strategy) for w in written if w.strategy.lever is Lever.CLEAR_STOCK)
    return next(ratios, 1.0)


def _check(passed: Flags) -> Check:
    return Check(float(passed.mean()) if len(passed) else float("nan"), len(passed))
