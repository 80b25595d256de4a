import numpy as np
import pytest

from eval.demand.metrics import Predictions, demand_scores, paired_difference
from eval.demand.protocol import Demand
from models.evaluator.evaluator import NUMERIC
from models.training.evaluator import EvaluatorData
from models.training.metrics import residual_slope


def demand(n: int = 20_000, seed: int = 0) -> tuple[Demand, np.ndarray]:
    """Rows with known true purchase probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    price = rng.normal(-0.1, 0.15, n).astype(np.float32)
    truth = 1 / (1 + np.exp(2.0 + 1.5 * price - rng.normal(0, 1, n)))
    zeros = np.zeros(n, np.float32)
    data = EvaluatorData(
        numeric=np.zeros((n, NUMERIC), np.float32),
        shopper_row=np.zeros(n, np.int64),
        product_row=np.zeros(n, np.int64),
        shopper_states=np.zeros((1, 384), np.float32),
        product_states=np.zeros((1, 384), np.float32),
        stranger=np.zeros(384, np.float32),
        log_ratio=price,
        rate=zeros + 1,
        bought=(rng.random(n) < truth).astype(np.float32),
        weight=zeros + 1,
        returned=zeros * np.nan,
        cluster=rng.integers(0, 300, n),
    )
    return Demand(data, rng.integers(9, 53, n), rng.random(n) < 0.5, "t"), truth


def test_true_probabilities_score_best_are_calibrated_and_leave_no_residual_slope() -> None:
    rows_of, truth = demand()
    rows = np.arange(len(truth))
    flat = np.full(len(truth), truth.mean())
    best = demand_scores(rows_of, rows, Predictions(truth, truth * 1.1, truth * 0.9))
    base = demand_scores(rows_of, rows, Predictions(flat, flat, flat * 1.01))
    assert best.log_loss < base.log_loss
    assert best.rig > 0.05 > base.rig
    assert best.mean_over_rate == pytest.approx(1, abs=0.05)
    assert abs(best.residual_slope) < 0.2
    assert base.residual_slope < -0.8
    assert (best.wrong_sign_share, base.wrong_sign_share) == (0.0, 1.0)
    assert best.elasticity == pytest.approx(np.log(0.9 / 1.1) / 0.2)


def test_residual_slope_recovers_an_omitted_price_slope() -> None:
    rng = np.random.default_rng(4)
    price = rng.normal(0, 0.2, 200_000).astype(np.float32)
    label = (rng.random(len(price)) < 1 / (1 + np.exp(1 + 2 * price))).astype(np.float64)
    constant = np.full(len(price), 1 / (1 + np.e))
    assert residual_slope(constant, label, np.ones(len(price)), price) == pytest.approx(-2, abs=0.1)


def test_paired_interval_excludes_zero_for_a_worse_model_only() -> None:
    rows_of, truth = demand()
    rows = np.arange(len(truth))
    worse = paired_difference(rows_of, rows, np.full(len(truth), truth.mean()), truth)
    same = paired_difference(rows_of, rows, truth, truth)
    assert worse.low > 0
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_splits_follow_the_protocol_and_never_overlap() -> None:
    rows_of, _ = demand()
    weeks = {split: set(rows_of.week[rows_of.rows(split)].tolist()) for split in ("train", "validation", "test")}
    assert weeks == {"train": set(range(9, 41)), "validation": {41, 42, 43, 44}, "test": set(range(45, 53))}
