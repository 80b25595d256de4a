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
from models.strategist.proposals import ProposalRequest, Written
from models.strategist.strategist import Strategist
from models.strategist.strategy import ALLOWED_MOVES, MOVES, Anchor, Lever, Strategy
from models.training.regret import RegretMeasurement, measure
from models.training.situations import Situation
from tests.models.training.test_soft_targets import situation

SITUATIONS = [situation(elasticity, 0.5) for elasticity in (1.2, 2.0, 2.4, 3.0, 4.0, 5.0)]


class Scripted(Strategist):
    """Propose fixed strategies for each prompt."""

    def __init__(self, answers: dict[str, list[Strategy]]) -> None:
        self._answers = answers

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        return [[Written(s, -float(at)) for at, s in enumerate(self._answers[r.prompt])] for r in requests]


def best(of: Situation) -> Strategy:
    moves = [move for move in MOVES if move in ALLOWED_MOVES[Lever.DISCOUNT]]
    move = max(moves, key=lambda m: of.capped_value(1 + m / 100))
    if of.capped_value(1 + move / 100) <= of.capped_value(1.0):
        return Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    return Strategy(Lever.DISCOUNT, Anchor.REFERENCE, move)


def name(of: Situation) -> str:
    return f"{of.facts.lifts}"


def measured(answers: list[list[Strategy]]) -> RegretMeasurement:
    script = Scripted({name(s): found for s, found in zip(SITUATIONS, answers, strict=True)})
    return measure(script, SITUATIONS, name)


def test_the_optimum_has_no_regret_and_holding_has_that_of_the_hold_baseline() -> None:
    hold = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    optimal = measured([[best(s)] for s in SITUATIONS])
    second = measured([[hold, best(s)] for s in SITUATIONS])
    assert optimal.regret_pct["first"] == pytest.approx(0.0)
    assert (second.regret_pct["first"] == second.regret_pct["hold"]).all()
    assert second.regret_pct["hold"].max() > 5
    assert second.regret_pct["best_of_8"] == pytest.approx(0.0)


def test_no_candidate_beats_the_dense_search() -> None:
    situations = [replace(s, facts=replace(s.facts, last_paid_ratio=0.75, loyalty="lapsed")) for s in SITUATIONS]
    deep = Strategy(Lever.WIN_BACK, Anchor.LAST_PAID, -30)
    result = measure(Scripted({name(s): [deep] for s in situations}), situations, name)
    assert all((values >= 0).all() for values in result.regret_pct.values())


def test_a_strategy_with_an_unknown_anchor_price_is_invalid() -> None:
    match = Strategy(Lever.MATCH_COMPETITOR, Anchor.COMPETITOR, 0)
    with_rival = replace(SITUATIONS[0], facts=replace(SITUATIONS[0].facts, rival_ratio=0.9))
    result = RegretMeasurement([SITUATIONS[0], with_rival], [[Written(match, 0.0)]] * 2, {})
    assert result.valid.tolist() == [False, True]


def test_holding_is_checked_where_no_move_gains_and_moving_where_one_does() -> None:
    hold = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    always_hold = holding(measured([[hold]] * len(SITUATIONS)))
    optimal = holding(measured([[best(s)] for s in SITUATIONS]))
    assert [check.share for check in always_hold.values()] == [1.0, 0.0]
    assert [check.share for check in optimal.values()] == [1.0, 1.0]
    assert all(check.situations > 0 for check in optimal.values())


def test_the_interval_over_households_covers_the_mean_and_widens_with_correlation_in_households() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(1.0, 400)
    independent = mean_interval(values, np.arange(400))
    correlated = mean_interval(np.repeat(values[:40], 10), np.repeat(np.arange(40), 10))
    assert independent.low < values.mean() < independent.high
    assert independent.high - independent.low == pytest.approx(4 * values.std() / 20, rel=0.2)
    assert correlated.high - correlated.low > 2 * (independent.high - independent.low)


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
        (report(0.1, 0.05, 0.99), ("invalid strategy",)),
    ],
)
def test_unmet_goals_are_described(made: StrategistReport, lost: tuple[str, ...]) -> None:
    unmet = strategist_regressions(made)
    assert len(unmet) == len(lost)
    assert all(word in line for word, line in zip(lost, unmet, strict=True))


def test_the_table_has_the_strategist_and_the_baselines() -> None:
    table = regret_table(measured([[best(s)] for s in SITUATIONS]), np.arange(len(SITUATIONS)))
    assert set(table) == {"first", "best_of_8", "hold", "random_8", "heuristic_8"}
    assert table["first"].within_half == 1.0 > table["hold"].within_half
