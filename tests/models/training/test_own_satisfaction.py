from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluator.satisfaction import SLOPE, prior_factor
from models.training.own_satisfaction import learn_satisfaction
from models.training.sale_reports import WINDOW_S, Evidence, Sales, bought_again, reports_of
from models.training.satisfaction_fit import ContentRows, fit_factor

DAY = 86_400.0
NOTHING = np.nan


def sales(n: int = 4_000, slope: float = 3.0, seed: int = 1) -> Sales:
    """Sales without reports; `truth` draws them."""
    rng = np.random.default_rng(seed)
    return Sales(
        names=tuple((f"p{k}", f"c{k % 5}") for k in range(40)),
        product=rng.integers(0, 40, n),
        shopper=rng.integers(0, n, n),
        at_s=np.sort(rng.uniform(0, 300 * DAY, n)),
        log_ratio=np.log(rng.choice([0.7, 0.8, 0.9, 1.0, 1.1, 1.2], n)),
        returned=np.zeros(n),
        rating=np.full(n, np.nan),
        end_s=300 * DAY,
    )


def logits(shop: Sales, slope: float) -> np.ndarray:
    kind = np.random.default_rng(5).normal(0, 0.6, 5)
    return np.asarray(1.2 + kind[shop.product % 5] - slope * shop.log_ratio)


def with_returns(shop: Sales, slope: float) -> Sales:
    kept = np.random.default_rng(2).random(len(shop.at_s)) < 1 / (1 + np.exp(-1.0 - logits(shop, slope)))
    return replace(shop, returned=(~kept).astype(float))


def with_ratings(shop: Sales, slope: float) -> Sales:
    rng = np.random.default_rng(3)
    content = 1 / (1 + np.exp(-logits(shop, slope) - rng.normal(0, 1, len(shop.at_s))))
    rating = np.where(rng.random(len(shop.at_s)) < 0.4, np.round(1 + 4 * content), np.nan)
    return replace(shop, rating=rating)


def test_without_any_report_satisfaction_is_the_prior_and_the_report_says_how_to_change_it() -> None:
    found = learn_satisfaction(sales(400))
    assert found.known is None
    assert (found.report.source, found.report.reports, found.report.measures) == ("prior", 0, ())
    assert "remedy" in found.report.notes[0]
    prior = 1 / (1 + np.exp(-prior_factor().mean[0]))
    assert found.report.at_reference[0] == pytest.approx(prior)


@pytest.mark.parametrize("slope", [1.0, 4.0])
def test_reports_that_depend_on_price_teach_how_much_and_predict_better_than_their_mean(slope: float) -> None:
    shop = with_ratings(with_returns(sales(20_000), slope), slope)
    found = learn_satisfaction(shop)
    assert found.known is not None and found.report.source == "learned"
    assert [one.evidence for one in found.report.measures] == [Evidence.RETURNS, Evidence.RATINGS]
    for factor, measure in zip(found.known.factors, found.report.measures, strict=True):
        assert np.exp(factor.mean[1]) == pytest.approx(slope, rel=0.35)
        assert measure.used == "effects" and measure.log_loss is not None and measure.constant is not None
        assert measure.log_loss < measure.constant
        assert measure.mean_over_rate == pytest.approx(1.0, abs=0.05)
    value, low, high = found.report.at_reference
    assert low < value < high and value > found.report.at_more[0]


def test_reports_that_depend_on_nothing_leave_their_mean_and_the_slope_of_the_prior() -> None:
    shop = sales()
    shop = replace(shop, returned=(np.random.default_rng(4).random(len(shop.at_s)) < 0.1).astype(float))
    found = learn_satisfaction(shop)
    (measure,) = found.report.measures
    assert found.known is not None
    if measure.used == "mean":
        assert np.exp(found.known.factors[0].mean[1]) == pytest.approx(SLOPE[0])
        assert "only the mean is used" in found.report.notes[0]
    assert found.report.at_reference[0] == pytest.approx(0.9, abs=0.02)


def test_few_reports_say_how_little_they_tell() -> None:
    few, many = (learn_satisfaction(with_returns(sales(n), 3.0)).report for n in (40, 20_000))
    widths = [one.at_reference[2] - one.at_reference[1] for one in (few, many)]
    assert widths[0] > 1.5 * widths[1]
    assert few.measures[0].used == "mean" and "too few" in few.notes[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-0.5, 0.5)), min_size=1, max_size=30), st.booleans())
def test_any_labels_at_all_give_a_proper_posterior_that_falls_in_price(
    labels: list[tuple[float, float]], whole: bool
) -> None:
    content, log_ratio = np.asarray(labels).T
    n = len(labels)
    rows = ContentRows((("a", "x"), ("b", "")), np.arange(n) % 2, np.zeros(n), log_ratio, content)  # type: ignore[arg-type]
    found = fit_factor(rows, prior_factor(), whole=whole)
    assert np.isfinite(found.mean).all()
    assert (np.linalg.eigvalsh(found.covariance) > 0).all()
    assert all(variance >= 0 for _, variance in found.effects.values())


def few(**columns: list[float]) -> Sales:
    """Sales of one shopper and product: one young, two of before the window."""
    n = len(columns["returned"])
    return Sales(
        names=(("p", "c"),),
        product=np.zeros(n, np.int64),
        shopper=np.zeros(n, np.int64),
        at_s=np.asarray(columns["at_s"]),
        log_ratio=np.zeros(n),
        returned=np.asarray(columns["returned"]),
        rating=np.asarray(columns["rating"]),
        end_s=2 * WINDOW_S,
    )


def test_sales_younger_than_the_window_are_not_known_of_returns_not_even_the_returned_ones() -> None:
    shop = few(at_s=[0, 1, 2 * WINDOW_S - 1, 2 * WINDOW_S], returned=[0, 1, 1, 0], rating=[NOTHING] * 4)
    (found,) = reports_of(shop)
    assert (found.evidence, found.rows.tolist(), found.content.tolist()) == (Evidence.RETURNS, [0, 1], [1.0, 0.0])


def test_where_no_return_was_ever_reported_the_absence_of_one_is_no_evidence() -> None:
    shop = few(at_s=[0, 1, 2 * WINDOW_S], returned=[0, 0, 0], rating=[NOTHING, 4, 1])
    (found,) = reports_of(shop)
    assert (found.evidence, found.rows.tolist(), found.content.tolist()) == (Evidence.RATINGS, [1, 2], [0.75, 0.0])


def test_the_rating_of_a_returned_sale_is_of_no_sale_that_was_kept() -> None:
    shop = few(at_s=[0, 1, 2], returned=[1, 0, 0], rating=[5, 3, NOTHING])
    returns, ratings = reports_of(shop)
    assert returns.content.tolist() == [0.0, 1.0, 1.0]
    assert (ratings.rows.tolist(), ratings.content.tolist()) == ([1], [0.5])


def test_a_purchase_of_the_same_moment_is_no_repurchase_and_one_after_the_window_neither() -> None:
    shop = few(
        at_s=[0, 0, WINDOW_S, 2 * WINDOW_S + 1, 3 * WINDOW_S],
        returned=[0] * 5,
        rating=[NOTHING] * 5,
    )
    assert bought_again(shop).tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]


def test_repurchases_move_the_slope_alone_and_only_where_price_predicts_them() -> None:
    rng = np.random.default_rng(6)
    n, gap = 3_000, WINDOW_S / 2
    log_ratio = np.log(rng.choice([0.7, 0.85, 1.0, 1.2], n))
    back = rng.random(n) < 1 / (1 + np.exp(4.0 * log_ratio))
    first = rng.uniform(0, 200 * DAY, n)
    shop = Sales(
        names=(("p", "c"),),
        product=np.zeros(n + int(back.sum()), np.int64),
        shopper=np.r_[np.arange(n), np.flatnonzero(back)],
        at_s=np.r_[first, first[back] + gap],
        log_ratio=np.r_[log_ratio, log_ratio[back]],
        returned=np.zeros(n + int(back.sum())),
        rating=np.full(n + int(back.sum()), np.nan),
        end_s=300 * DAY,
    )
    found = learn_satisfaction(shop)
    assert found.known is not None and found.report.measures[0].used == "slope"
    (factor,) = found.known.factors
    assert factor.mean[0] == prior_factor().mean[0]
    assert np.exp(factor.mean[1]) > 1.5 * SLOPE[0]
    flat = learn_satisfaction(replace(shop, log_ratio=rng.permutation(shop.log_ratio)))
    assert flat.known is None or np.exp(flat.known.factors[0].mean[1]) < np.exp(factor.mean[1]) / 2
