"""Fits of more shared effects than have one covariance, several of which are in every row."""

import numpy as np
import pytest

from models.evaluator.lesson import Term
from models.evaluator.monotone import sigmoid
from models.training.factored_matrix import FactoredMatrix
from models.training.own_logit import JOINT, STEPS, PriceLogit, fit_logit
from models.training.own_rows import EffectBuilder, EffectColumns, LogitRows

N = 5_000
FIELDS, VALUES, KNOTS = 4, 60, 8
RNG = np.random.default_rng(11)
LABEL = RNG.integers(VALUES, size=(N, FIELDS))
AGE = RNG.uniform(0, 1, N)
X = RNG.uniform(-0.4, 0.3, N)
LEVELS = RNG.normal(0, 0.5, (FIELDS, VALUES))
TRUTH = -2.0 + LEVELS[np.arange(FIELDS), LABEL].sum(axis=1) + 1.5 * np.sin(5 * AGE) - 2.0 * X
BOUGHT = (RNG.random(N) < sigmoid(TRUTH)).astype(np.float64)


def columns() -> EffectColumns:
    builder = EffectBuilder(N)
    builder.add(range(N), [[*_fields(row), *_knots(row)] for row in range(N)])
    return builder.columns()


def _fields(row: int) -> list[Term]:
    named = [Term(f"profile.f{field}={LABEL[row, field]}", 1.0, 0.7, 0.5) for field in range(FIELDS)]
    return [Term("all", 1.0, 2.5, 1.5), *named]


def _knots(row: int) -> list[Term]:
    near = np.maximum(0.0, 1.0 - np.abs(AGE[row] * (KNOTS - 1) - np.arange(KNOTS)))
    return [Term(f"profile.age@{knot}", float(near[knot]), 0.7, 0.5) for knot in np.flatnonzero(near).tolist()]


def rows(effects: EffectColumns) -> LogitRows:
    return LogitRows(
        bought=BOUGHT,
        mass=np.ones(N),
        log_ratio=X,
        effects=effects.values,
        inputs=FactoredMatrix.of_dense(np.zeros((N, 0))),
        steps=np.zeros((N, STEPS), np.float32),
        over=np.zeros(N),
        signals=np.zeros((N, 2)),
        controls=np.zeros((N, 0)),
        cluster=np.arange(N),
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[EffectColumns, LogitRows, PriceLogit]:
    effects = columns()
    made = rows(effects)
    return effects, made, fit_logit(made, effects, drifts=False)


def test_every_score_of_the_fit_equals_the_pull_of_its_prior(
    fitted: tuple[EffectColumns, LogitRows, PriceLogit],
) -> None:
    effects, made, model = fitted
    assert len(effects.names) > JOINT + VALUES
    score = made.effects.transposed_dot(BOUGHT - sigmoid(model.logits(made)))
    pull = model.level / model.sd[effects.group, 0] ** 2
    assert np.abs(score - pull).max() < 0.5


def test_the_mean_prediction_is_the_rate_of_sales(fitted: tuple[EffectColumns, LogitRows, PriceLogit]) -> None:
    _, made, model = fitted
    assert sigmoid(model.logits(made)).mean() == pytest.approx(BOUGHT.mean(), rel=0.005)


def test_levels_are_recovered_and_their_uncertainty_is_that_of_the_error(
    fitted: tuple[EffectColumns, LogitRows, PriceLogit],
) -> None:
    effects, made, model = fitted
    known = model.terms(made)[0]
    truth = TRUTH + 2.0 * X
    assert np.corrcoef(known, truth)[0, 1] > 0.85
    variance = model.independent_covariance[:, [0, 2]]
    assert (variance > 0).all()
    assert (variance[:, 0] <= model.sd[effects.group[model.independent], 0] ** 2 + 1e-9).all()
