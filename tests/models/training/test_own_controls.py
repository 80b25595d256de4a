"""Slopes of prices that followed demand: corrected by controls, biased without them, and said in words."""

from dataclasses import replace

import numpy as np
import pytest

from eval.own_store.comparison import run_trial
from eval.own_store.confounded import CONFOUNDED
from eval.own_store.shops import SHOPS, simulate_outcomes
from models.evaluator.monotone import SLOPE_MIN, softplus
from models.training.identification import OBSERVED_DOUBT, Identification, with_evidence
from models.training.identified_by import IdentifiedBy
from models.training.own_controls import SlopeEvidence
from models.training.own_evaluator import Trained, train_own
from models.training.own_rows import OwnRows, Split

N = 6_000
SLOPE = 2.5
OBSERVED = Identification(IdentifiedBy.IMPORTED_INPUTS, OBSERVED_DOUBT, "propensities are unknown")


def known(shop: str) -> OwnRows:
    return replace(simulate_outcomes(CONFOUNDED[shop], 3, N, 1).rows, doubt=OBSERVED_DOUBT)


def trained(rows: OwnRows) -> Trained:
    return train_own(rows, Split(np.arange(4_200), np.arange(4_200, 5_000), np.arange(5_000, N)), "t", lambda *_: None)


def slope(found: Trained) -> float:
    before = found.fit.logit.constants(found.rows.effects)[1]
    evaluated = found.evaluator.weights.purchase.mean[1, -1]
    assert evaluated == pytest.approx(before, abs=1.0)
    return SLOPE_MIN + float(softplus(np.asarray(evaluated)))


@pytest.mark.parametrize("shop", ["confounded, cost changes", "confounded, half random"])
def test_a_hidden_promotion_biases_the_slope_unless_its_control_is_there(shop: str) -> None:
    rows = known(shop)
    with_control, without = trained(rows), trained(replace(rows, origins=None))
    assert slope(with_control) == pytest.approx(SLOPE, rel=0.15)
    assert slope(without) > 1.25 * SLOPE
    assert with_control.evidence.corrected
    assert not without.evidence.corrected
    assert with_control.evaluator.weights.doubt == 0
    assert without.evaluator.weights.doubt == OBSERVED_DOUBT


def test_told_drivers_of_prices_are_partialled_out() -> None:
    found = trained(known("confounded, told"))
    assert found.fit.controls.expected
    assert not found.fit.controls.unexplained
    assert slope(found) == pytest.approx(SLOPE, rel=0.15)


@pytest.mark.parametrize("shop", ["price alone", "profiles"])
def test_random_prices_need_no_control(shop: str) -> None:
    found = trained(simulate_outcomes(SHOPS[shop], 3, N, 1).rows)
    assert not found.fit.controls.any


def test_what_nothing_identifies_is_doubted() -> None:
    trial = run_trial("confounded, hidden", 2_000, 3)
    width = trial.elasticity[2] / trial.elasticity[1]
    assert width > np.exp(2 * 1.6 * OBSERVED_DOUBT) * 0.8
    assert trial.elasticity[0] > trial.true_elasticity


def test_the_report_says_what_the_slope_is_identified_by() -> None:
    corrected = with_evidence(OBSERVED, SlopeEvidence(0.0, 1.0, 0.0, True, 7.3))
    assert (corrected.by, corrected.doubt) == (IdentifiedBy.COST_CHANGES, 0.0)
    assert "100% followed changes of cost" in (corrected.note or "")
    left = with_evidence(OBSERVED, SlopeEvidence())
    assert (left.by, left.doubt) == (OBSERVED.by, OBSERVED.doubt)
    assert "only if everything that prices were set on was imported" in (left.note or "")
