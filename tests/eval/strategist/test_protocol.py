from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from eval.strategist.checks import holding
from eval.strategist.protocol import (
    Interval,
    Regret,
    StrategistReport,
    mean_interval,
    regret_table,
    strategist_regressions,
)
from models.strategist.strategist import ProposalRequest, Strategist, Written
from models.strategist.strategy import ALLOWED_MOVES, MOVES, Anchor, Lever, Strategy
from models.training.regret import RegretMeasurement, measure
from models.training.situations import Situation
from tests.models.training.test_soft_targets import situation

SITUATIONS = [situation(elasticity, 0.5) for elasticity in (1.2, 2.0, 2.4, 3.0, 4.0, 5.0)]


class Scripted(Strategist):
    """Writes given strategies for each prompt."""

    def __init__(self, answers: dict[str, list[Strategy]]) -> None:
        self._answers = answers

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        return [[Written(s, -float(at)) for at, s in enumerate(self._answers[r.prompt])] for r in requests]


def best(asked: Situation) -> Strategy:
    moves = [move for move in MOVES if move in ALLOWED_MOVES[Lever.DISCOUNT]]
    move = max(moves, key=lambda m: asked.capped_value(1 + m / 100))
    if asked.capped_value(1 + move / 100) <= asked.capped_value(1.0):
        return Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    return Strategy(Lever.DISCOUNT, Anchor.REFERENCE, move)


def name(asked: Situation) -> str:
    return f"{asked.facts.lifts}"


def measured(answers: list[list[Strategy]]) -> RegretMeasurement:
    script = Scripted({name(s): found for s, found in zip(SITUATIONS, answers, strict=True)})
    return measure(script, SITUATIONS, name)


def test_the_dense_optimum_has_no_regret_and_holding_has_holds() -> None:
    hold = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    perfect = measured([[best(s)] for s in SITUATIONS])
    late = measured([[hold, best(s)] for s in SITUATIONS])
    assert perfect.regret_pct["first"] == pytest.approx(0.0)
    assert (late.regret_pct["first"] == late.regret_pct["hold"]).all()
    assert late.regret_pct["hold"].max() > 5
    assert late.regret_pct["best_of_8"] == pytest.approx(0.0)


def test_no_candidate_ever_beats_the_dense_search() -> None:
    asked = [replace(s, facts=replace(s.facts, last_paid_ratio=0.75, loyalty="lapsed")) for s in SITUATIONS]
    deep = Strategy(Lever.WIN_BACK, Anchor.LAST_PAID, -30)
    found = measure(Scripted({name(s): [deep] for s in asked}), asked, name)
    assert all((values >= 0).all() for values in found.regret_pct.values())


def test_a_strategy_whose_anchor_is_unknown_here_is_not_valid() -> None:
    strange = Strategy(Lever.MATCH_COMPETITOR, Anchor.COMPETITOR, 0)
    rival = replace(SITUATIONS[0], facts=replace(SITUATIONS[0].facts, rival_ratio=0.9))
    asked = RegretMeasurement([SITUATIONS[0], rival], [[Written(strange, 0.0)]] * 2, {})
    assert asked.valid.tolist() == [False, True]


def test_holding_counts_those_who_hold_where_nothing_pays_and_move_where_it_does() -> None:
    hold = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    always_hold = holding(measured([[hold]] * len(SITUATIONS)))
    perfect = holding(measured([[best(s)] for s in SITUATIONS]))
    assert [check.share for check in always_hold.values()] == [1.0, 0.0]
    assert [check.share for check in perfect.values()] == [1.0, 1.0]
    assert all(check.situations > 0 for check in perfect.values())


def test_the_interval_over_households_covers_the_mean_and_widens_when_rows_of_a_household_agree() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(1.0, 400)
    alone = mean_interval(values, np.arange(400))
    together = mean_interval(np.repeat(values[:40], 10), np.repeat(np.arange(40), 10))
    assert alone.low < values.mean() < alone.high
    assert alone.high - alone.low == pytest.approx(4 * values.std() / 20, rel=0.2)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def report(first: float, best_of_8: float, valid: float = 1.0) -> StrategistReport:
    def regret(mean: float) -> Regret:
        return Regret(Interval(mean, 0.9 * mean, 1.1 * mean), mean, mean, 0.5)

    found = {"first": regret(first), "best_of_8": regret(best_of_8), "random_8": regret(3.0)}
    return StrategistReport("v", 10, found, valid, 8.0, {}, 20.0)


@pytest.mark.parametrize(
    ("made", "lost"),
    [
        (report(0.1, 0.05), ()),
        (report(50.0, 0.05), ("first choice",)),
        (report(0.1, 50.0), ("best of 8",)),
        (report(0.1, 0.05, 0.99), ("cannot be written",)),
    ],
)
def test_lost_goals_are_named(made: StrategistReport, lost: tuple[str, ...]) -> None:
    found = strategist_regressions(made)
    assert len(found) == len(lost)
    assert all(word in line for word, line in zip(lost, found, strict=True))


def test_the_table_holds_the_strategist_and_what_needs_none() -> None:
    found = regret_table(measured([[best(s)] for s in SITUATIONS]), np.arange(len(SITUATIONS)))
    assert set(found) == {"first", "best_of_8", "hold", "random_8", "heuristic_8"}
    assert found["first"].within_half == 1.0 > found["hold"].within_half
