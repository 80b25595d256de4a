"""Whether proposals follow their reasons: the same situations again with more stock, or with a cheaper rival."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eval.strategist.held_out import HeldOut
from models.strategist.strategist import Strategist, Written
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
    """A share of situations, nan when there were none, and how many were asked."""

    share: float
    situations: int


def sensitivity(
    strategist: Strategist, unseen: HeldOut, measured: RegretMeasurement, render: Render
) -> dict[str, Check]:
    """All checks; `measured` are the situations of `unseen` as they are."""
    return holding(measured) | {
        "four times the stock: deeper clear-stock move": more_stock(strategist, unseen, measured, render),
        "rival 15 % cheaper: matched or undercut": cheaper_rival(strategist, unseen, measured, render),
    }


def holding(measured: RegretMeasurement) -> dict[str, Check]:
    """First choices within 1 % of the reference where no move gains .2 %, and away from it where one gains 2 %."""
    held = np.asarray(
        [abs(_first(s, w) - 1) <= _NEAR for s, w in zip(measured.situations, measured.written, strict=True)]
    )
    gain = measured.regret_pct["hold"]
    return {
        "no move gains .2 %: holds": _check(held[gain <= _NO_GAIN_PCT]),
        "a move gains 2 %: moves": _check(~held[gain >= _GAIN_PCT]),
    }


def more_stock(strategist: Strategist, unseen: HeldOut, measured: RegretMeasurement, render: Render) -> Check:
    """Normal stock becomes deep: where that lowers the best price by 2 %, is the leading clear-stock move deeper?"""
    asked = np.flatnonzero([situation.facts.stock == "normal" for situation in measured.situations])

    def restocked(condition: Conditions) -> Conditions:
        units = STOCK_FACTOR * (condition.stock.inventory or 0)
        return replace(condition, stock=replace(condition.stock, inventory=units))

    after = measure(strategist, unseen.at(asked).situations(restocked), render)
    deeper = []
    for was, before, now, written in _pairs(measured, asked, after):
        if now.best_ratio <= min(was.best_ratio, 1.0) - 0.02:
            deeper.append(_clearing(now, written) < _clearing(was, before))
    return _check(np.asarray(deeper, np.bool_))


def cheaper_rival(strategist: Strategist, unseen: HeldOut, measured: RegretMeasurement, render: Render) -> Check:
    """The rival cuts its price: where it is then best to match or undercut, does the first choice?"""
    asked = np.flatnonzero([situation.facts.rival_ratio is not None for situation in measured.situations])
    after = measure(strategist, unseen.at(asked).situations(lambda c: replace(c, rival=RIVAL_FACTOR * c.rival)), render)
    follows = []
    for was, _, now, written in _pairs(measured, asked, after):
        rival = now.facts.rival_ratio or 1.0
        if rival < 1.0 and now.best_ratio <= rival * (1 + _NEAR) and now.best_ratio < was.best_ratio:
            follows.append(_first(now, written) <= rival * (1 + _NEAR))
    return _check(np.asarray(follows, np.bool_))


def _pairs(
    before: RegretMeasurement, rows: NDArray[np.int64], after: RegretMeasurement
) -> list[tuple[Situation, list[Written], Situation, list[Written]]]:
    """Situation and proposals before and after a change."""
    return [
        (before.situations[row], before.written[row], after.situations[place], after.written[place])
        for place, row in enumerate(rows)
    ]


def _first(situation: Situation, written: Sequence[Written]) -> float:
    return price_ratio(situation, written[0].strategy)


def _clearing(situation: Situation, written: Sequence[Written]) -> float:
    """Price ratio of the best-ranked clear-stock move; 1 when there is none."""
    found = (price_ratio(situation, w.strategy) for w in written if w.strategy.lever is Lever.CLEAR_STOCK)
    return next(found, 1.0)


def _check(found: Flags) -> Check:
    return Check(float(found.mean()) if len(found) else float("nan"), len(found))
