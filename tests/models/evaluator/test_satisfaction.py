from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluator.evaluator import Evaluator
from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.evaluator.online_effects import OnlineEffects
from models.evaluator.satisfaction import PRIOR, Factor, Satisfaction, SatisfactionSource, prior_factor, with_slope_of
from models.evaluator.trained_effects import TrainedEffects
from tests.models.evaluator.test_evaluator import GRID, respond, situations, weights

finite = st.floats(-3, 3)
factors = st.builds(
    lambda level, slope, a, b, c, effect: Factor(
        np.asarray([level, slope]),
        np.asarray([[a * a, a * c], [a * c, c * c + b * b]]),
        {"product=p": (effect, b), "product.category=c": (-effect, a * a)},
        (0.1, 0.2),
    ),
    finite,
    finite,
    *[st.floats(0, 2)] * 3,
    finite,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(factors, min_size=1, max_size=2), st.floats(-2, 2))
def test_a_dearer_price_is_never_more_content_in_the_mode_nor_in_any_draw(parts: list[Factor], spread: float) -> None:
    known = Satisfaction(tuple(parts))
    effects = known.effects_of([("p", "C"), ("other", "")])
    prices = np.repeat(GRID[None], 2, axis=0)
    for found in (known.probability(prices, effects), known.drawn(prices, effects, spread)):
        assert (np.diff(found, axis=1) <= 1e-12).all()
        assert ((found >= 0) & (found <= 1)).all()


def test_two_priors_are_together_as_content_at_the_reference_as_one() -> None:
    both = Satisfaction((prior_factor(2), prior_factor(2)))
    here = np.zeros((1, 1))
    assert both.probability(here, None)[0, 0] == pytest.approx(PRIOR.probability(here, None)[0, 0])


def test_a_slope_alone_leaves_the_level_at_the_prior() -> None:
    steep = Factor(np.asarray([-3.0, 1.0]), np.diag([0.01, 0.04]))
    found = with_slope_of(steep).factors[0]
    assert (found.mean[0], found.covariance[0, 0]) == (PRIOR.factors[0].mean[0], PRIOR.factors[0].covariance[0, 0])
    assert (found.mean[1], found.covariance[1, 1]) == (1.0, 0.04)


def own(satisfied: Satisfaction | None) -> tuple[Evaluator, list[np.ndarray]]:
    """An evaluator trained on own outcomes, whose rows told of session intent."""
    made, covariances = weights()
    effects = TrainedEffects(OnlineEffects(), {})
    return Evaluator(replace(made, effects=effects, satisfied=satisfied, intent=0.4), "own"), covariances


def test_without_any_report_satisfaction_is_exactly_the_prior_whatever_the_weights_and_the_situation() -> None:
    batch, prices = situations(3), np.repeat(GRID[None], 3, axis=0)
    evaluator, _ = own(None)
    abroad = Evaluator(weights()[0], "shipped"), replace(batch, out_of_domain=True)
    for one, inputs in ((evaluator, batch), abroad):
        assert np.array_equal(respond(one, inputs, prices).satisfaction, PRIOR.probability(prices, None))
        assert one.satisfaction_source(out_of_domain=inputs.out_of_domain) is SatisfactionSource.PRIOR
    assert Evaluator(weights()[0], "s").satisfaction_source(out_of_domain=False) is SatisfactionSource.DEMO_STORE


def test_the_priors_of_a_situation_are_those_that_entered_and_were_not_learned() -> None:
    rival = np.asarray([np.nan, 0.1, np.nan], np.float32)
    some = np.asarray([0, 1, 2], np.float32)
    batch = replace(situations(3), intent=some, rival_log_ratio=rival, trend=np.asarray([0, 0, -1], np.float32))
    learned = Satisfaction((prior_factor(),))
    assert own(None)[0].priors_used(batch) == [("satisfaction",), ("rival", "satisfaction"), ("trend", "satisfaction")]
    assert own(learned)[0].priors_used(batch) == [(), ("rival",), ("trend",)]
    shipped = Evaluator(weights()[0], "shipped")
    assert shipped.priors_used(batch) == [(), ("intent", "rival"), ("intent", "trend")]
    assert shipped.priors(out_of_domain=True) == ("intent", "rival", "trend", "satisfaction")


def test_learned_satisfaction_and_constants_come_back_from_the_file(tmp_path: Path) -> None:
    known = Satisfaction(
        (
            Factor(np.asarray([1.0, 0.5]), np.diag([0.25, 0.5]), {"product=é": (0.5, 0.125)}, (0.25, 0.5)),
            Factor(np.asarray([2.0, -0.5]), np.diag([0.5, 0.25])),
        )
    )
    evaluator, covariances = own(known)
    save_evaluator(evaluator.weights, covariances, tmp_path / "e.safetensors")
    found = load_evaluator(tmp_path / "e.safetensors", "own")
    assert found.weights.satisfied is not None
    assert found.weights.satisfied.factors[0].effects == known.factors[0].effects
    assert found.weights.intent == pytest.approx(0.4) and found.weights.rival is None
    batch = situations(2)
    batch = replace(batch, satisfied=known.effects_of([("é", ""), ("p", "")]))
    prices = np.repeat(GRID[None], 2, axis=0)
    told = [respond(one, batch, prices) for one in (evaluator, found)]
    assert told[0].satisfaction == pytest.approx(told[1].satisfaction, abs=1e-6)
    assert told[0].satisfaction_draws == pytest.approx(told[1].satisfaction_draws, abs=1e-6)
