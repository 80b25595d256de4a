from dataclasses import replace

import numpy as np
import pytest

from models.evaluator.context_priors import ContextPriors
from models.evaluator.lesson import Term
from models.evaluator.monotone import SLOPE_MIN, sigmoid, softplus
from models.training.factored_matrix import FactoredMatrix
from models.training.own_effects import shift_of, trained_effects
from models.training.own_kinks import fit_ramps
from models.training.own_logit import SLOPE, STEPS, fit_logit
from models.training.own_rows import EffectBuilder, EffectColumns, LogitRows

N = 6_000
RNG = np.random.default_rng(5)
SEGMENT = RNG.integers(3, size=N)
PRODUCT = RNG.integers(8, size=N)
NOISE = RNG.integers(4, size=N)
X = RNG.uniform(-0.4, 0.3, N)
LEVELS, SLOPES = np.asarray([-0.6, 0.0, 0.6]), np.asarray([4.5, 2.5, 1.0])
TRUTH = -1.0 + LEVELS[SEGMENT] - SLOPES[SEGMENT] * X
BOUGHT = (RNG.random(N) < sigmoid(TRUTH)).astype(np.float64)


def terms(row: int) -> list[Term]:
    return [
        Term("all", 1.0, 2.5, 1.5),
        Term(f"profile.segment={SEGMENT[row]}", 1.0, 0.7, 0.5),
        Term(f"profile.noise={NOISE[row]}", 1.0, 0.7, 0.5),
        Term(f"product={PRODUCT[row]}", 1.0, 0.8, 0.5, independent=True),
    ]


@pytest.fixture(scope="module")
def columns() -> EffectColumns:
    builder = EffectBuilder(N)
    builder.add(range(N), [terms(row) for row in range(N)])
    return builder.columns()


def rows(effects: FactoredMatrix, **changes: object) -> LogitRows:
    n = effects.shape[0]
    made = LogitRows(
        bought=BOUGHT[:n],
        mass=np.ones(n),
        log_ratio=X[:n],
        effects=effects,
        inputs=FactoredMatrix.of_dense(np.zeros((n, 0))),
        steps=np.zeros((n, STEPS), np.float32),
        over=np.zeros(n),
        signals=np.zeros((n, 2)),
        controls=np.zeros((n, 0)),
        cluster=np.arange(n),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_slopes_of_a_profile_field_are_recovered_and_an_irrelevant_field_shrinks(columns: EffectColumns) -> None:
    model = fit_logit(rows(columns.values), columns)
    slope = {name: SLOPE + model.slope[0] + model.slope[place] for place, name in enumerate(columns.names)}
    found = [SLOPE_MIN + float(softplus(np.asarray(slope[f"profile.segment={k}"]))) for k in range(3)]
    assert found == pytest.approx(SLOPES, abs=0.6)
    sd = dict(zip(columns.groups, model.sd.tolist(), strict=True))
    assert max(sd["profile.noise"]) < 0.15 < min(sd["profile.segment"])
    assert max(sd["product"]) < 0.15


def test_few_rows_without_effects_fit_the_logit_in_log_price(columns: EffectColumns) -> None:
    some = rows(columns.values[:1_500], bought=(RNG.random(1_500) < sigmoid(-1.0 - 2.5 * X[:1_500])).astype(float))
    model = fit_logit(some, columns)
    assert np.abs(sigmoid(model.logits(some)) - sigmoid(-1.0 - 2.5 * X[:1_500])).mean() < 0.03


def test_a_weight_of_two_equals_a_duplicated_row(columns: EffectColumns) -> None:
    effects = columns.values[:2_000]
    once = fit_logit(rows(effects, mass=np.full(2_000, 2.0)), columns)
    twice = columns.values[np.tile(np.arange(2_000), 2)]
    doubled = rows(twice, bought=np.r_[BOUGHT[:2_000], BOUGHT[:2_000]], log_ratio=np.r_[X[:2_000], X[:2_000]])
    assert fit_logit(doubled, columns).level == pytest.approx(once.level, abs=1e-3)


def test_online_effects_start_from_the_fitted_logit(columns: EffectColumns) -> None:
    model = fit_logit(rows(columns.values), columns)
    effects = trained_effects(model, columns)
    some = np.arange(0, 60, 7)
    table = shift_of(effects, columns, some)
    priced = [
        [replace(t, level_sd=effects.sd[t.group][0], slope_sd=effects.sd[t.group][1]) for t in terms(row)]
        for row in some.tolist()
    ]
    served = effects.state.shift(priced, unseen=True)
    for name in ("level", "slope", "level_draws", "slope_draws"):
        assert getattr(table, name) == pytest.approx(getattr(served, name), abs=1e-9)


def test_a_kink_in_demand_becomes_a_ramp_and_a_smooth_response_has_none() -> None:
    rng = np.random.default_rng(3)
    x = rng.choice(np.log([0.8, 0.9, 1.0, 1.1, 1.2]), 20_000)
    flat = np.zeros(len(x))
    slope = np.full(len(x), 1.85)
    mass = np.ones(len(x))
    smooth = (rng.random(len(x)) < sigmoid(-1.0 - 2.0 * x)).astype(float)
    broken = (rng.random(len(x)) < sigmoid(-1.0 - 2.0 * x - 1.0 * (x > 0.01))).astype(float)
    assert fit_ramps((flat - 1.0, slope, x), smooth, mass).heights.sum() < 0.15
    found = fit_ramps((flat - 1.0, slope, x), broken, mass)
    assert found.heights.max() == pytest.approx(1.0, abs=0.25)
    assert found.places[found.heights.argmax(), 0] == pytest.approx(0.0, abs=0.01)


def test_intent_and_trend_are_learned_where_rows_have_them_and_stay_at_the_prior_where_not(
    columns: EffectColumns,
) -> None:
    rng = np.random.default_rng(9)
    intent = np.where(rng.random(N) < 0.3, rng.uniform(0, 4, N), 0.0)
    trend = np.zeros(N)
    bought = (rng.random(N) < 1 / (1 + np.exp(1.0 + 2.0 * X - 0.2 * intent))).astype(np.float64)
    told = rows(columns.values, bought=bought, signals=np.stack([intent, trend], axis=1))
    model = fit_logit(told, columns)
    prior = ContextPriors()
    assert model.signals[0] == pytest.approx(0.2, abs=0.1)
    assert model.signals[1] == pytest.approx(prior.trend, abs=1e-6)
    assert model.rival == pytest.approx(prior.rival, abs=1e-6)
