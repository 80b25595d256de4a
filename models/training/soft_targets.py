"""Soft targets of the strategist's training, from the utility of every strategy that the grammar allows.

Utilities come from a dense search over whole-percent moves. Small bonuses decide between strategies of equal price: a
lever whose reason applies wins, and holding wins over a move that gains almost nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.strategist.facts import fitting_lever
from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, MOVES, Anchor, Lever, Rounding
from models.training.situations import Situation

TEMPERATURE: Final = 0.01
BRANCHES: Final = 6
_FIT_BONUS: Final = 0.005
_MISFIT: Final = 0.02
_HOLD_BONUS: Final = 0.002
_ANCHOR_BONUS: Final = 0.002
_ABOVE_COST: Final = 0.1
_REASONED: Final = (Lever.CLEAR_STOCK, Lever.LOYALTY_REWARD, Lever.WIN_BACK, Lever.VOLUME, Lever.LAST_MINUTE)
_LEVERS: Final = tuple(Lever)
_ANCHORS: Final = tuple(Anchor)
_MOVES: Final = np.asarray(MOVES)
_GRAMMAR: Final = np.asarray(
    [[[a in ALLOWED_ANCHORS[v] and m in ALLOWED_MOVES[v] for m in MOVES] for a in Anchor] for v in Lever]
)  # (levers, anchors, moves)


def price_ratios(situation: Situation) -> Floats:
    """Price ratio of every strategy before the gateway, `(levers, anchors, moves)`; nan where it is not allowed."""
    facts = situation.facts
    possible, known = facts.levers(), facts.anchors()
    starts = np.asarray([(situation.anchor_ratio(a) or 1.0) if a in known else np.nan for a in _ANCHORS])
    levers = np.asarray([lever in possible for lever in _LEVERS])
    return np.where(_GRAMMAR & levers[:, None, None], starts[:, None] * (1 + _MOVES / 100), np.nan)


def best_attainable(situation: Situation) -> float:
    """Highest utility of any move from the reference and of any allowed strategy."""
    price = price_ratios(situation)
    reached = price[np.isfinite(price)]
    return max(
        situation.best, float(situation.value(reached if situation.facts.may_rise else np.minimum(reached, 1.0)).max())
    )


def strategy_utilities(situation: Situation) -> Floats:
    """Utility plus bonuses of every strategy, `(levers, anchors, moves)`; -inf where it is not allowed."""
    facts = situation.facts
    price = price_ratios(situation)
    value = np.asarray(situation.value(price if facts.may_rise else np.minimum(price, 1.0)))
    if not facts.may_rise:  # the gateway would lower such prices to the reference
        value = value - _ABOVE_COST * (price > 1.0)
    found = np.where(np.isfinite(price), value, -np.inf)
    fits = {below: fitting_lever(facts, -1 if below else 1) for below in (True, False)}
    for row, lever in enumerate(_LEVERS):
        if lever is Lever.HOLD:
            found[row] += _HOLD_BONUS
        else:
            misfit = _MISFIT if lever in _REASONED else 0.0
            bonus = {below: _FIT_BONUS if lever is fit else -misfit for below, fit in fits.items()}
            found[row] += np.where(price[row] < 1.0, bonus[True], bonus[False])
    preferred = {Lever.LOYALTY_REWARD: Anchor.LAST_PAID, Lever.WIN_BACK: Anchor.LAST_PAID}
    for row, lever in enumerate(_LEVERS):
        found[row, _ANCHORS.index(preferred.get(lever, Anchor.REFERENCE))] += _ANCHOR_BONUS
    return np.asarray(found)


@dataclass(frozen=True, slots=True)
class StrategyExample:
    """Soft targets of one situation: over levers, and over anchors and moves along `BRANCHES` sampled branches.

    Attributes:
        utility: `(levers, anchors, moves)`, -inf where not allowed.
        lever_target: `(levers,)`.
        lever, anchor, move: Indices of the branches' tokens, `(branches,)` each.
        anchor_target: `(branches, anchors)`. `move_target`: `(branches, moves)`.
    """

    utility: Floats
    lever_target: Floats
    lever: NDArray[np.int64]
    anchor_target: Floats
    anchor: NDArray[np.int64]
    move_target: Floats
    move: NDArray[np.int64]


def strategy_example(situation: Situation, rng: np.random.Generator) -> StrategyExample:
    """Compute soft targets softmax(utility / 1 %); branches are sampled half from them, half uniformly."""
    value = strategy_utilities(situation)
    lever_target = tempered_softmax(value.max((1, 2)))
    anchor_target = tempered_softmax(value.max(2))  # (levers, anchors)
    joint = (lever_target[:, None] * anchor_target).ravel()
    open_pairs = np.isfinite(value.max(2)).ravel()
    even = open_pairs / open_pairs.sum()
    drawn = rng.choice(len(joint), BRANCHES, p=0.5 * joint + 0.5 * even)
    lever, anchor = np.divmod(drawn, len(_ANCHORS))
    move_target = tempered_softmax(value[lever, anchor])
    move = (move_target.cumsum(1) > rng.random((BRANCHES, 1)) * move_target.sum(1, keepdims=True)).argmax(1)
    return StrategyExample(value, lever_target, lever, anchor_target[lever], anchor, move_target, move)


def tempered_softmax(scores: Floats) -> Floats:
    """Compute the softmax over the last axis at `TEMPERATURE`; rows without a finite score become zeros."""
    top = scores.max(-1, keepdims=True)
    shifted = (scores - np.where(np.isfinite(top), top, 0.0)) / TEMPERATURE
    weights = np.where(np.isfinite(scores), np.exp(np.clip(shifted, -60, 0)), 0.0)
    return np.asarray(weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300))


def rounding_target(move_pct: int) -> Floats:
    """Target distribution over roundings: by retail convention changed prices mostly end in nine."""
    habit = {Rounding.EXACT: 0.1, Rounding.CHARM: 0.7, Rounding.FIVE: 0.15, Rounding.WHOLE: 0.05}
    if move_pct == 0:
        habit = {rounding: float(rounding is Rounding.EXACT) for rounding in Rounding}
    return np.asarray([habit[rounding] for rounding in Rounding])
