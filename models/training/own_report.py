"""An honest report on a merchant's own evaluator: beside the base rate, a price-only logit and LightGBM."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluator import Evaluator, Situations
from models.training.evaluator import EvaluatorData
from models.training.metrics import auc, log_loss
from models.training.own import Rows, Split

Floats = NDArray[np.float64]

STEP: Final = 0.1
_BOOTSTRAPS: Final = 400
_BLOCK: Final = 16_384
_MAX_CLUSTERS: Final = 20_000
_NEWTON: Final = 30
_SEED: Final = 17

PRICESMITH: Final = "Pricesmith"
BASE_RATE: Final = "base rate"
LOGIT: Final = "logit in log price"
BOOSTED: Final = "LightGBM, monotone in price"


@dataclass(frozen=True, slots=True)
class Line:
    """One model on the test rows.

    Attributes:
        low, high: 95 % interval of its log loss less Pricesmith's, by shoppers; above 0 Pricesmith is better.
    """

    name: str
    log_loss: float
    rig: float
    auc: float
    mean_over_rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OwnReport:
    """What training on own outcomes came to.

    Attributes:
        elasticity: Mean -dlogP/dlog(price) at the reference, with a 90 % interval of the posterior.
        notes: What a reader must know, losses first.
    """

    rows: dict[str, int]
    lines: tuple[Line, ...]
    elasticity: tuple[float, float, float]
    notes: tuple[str, ...]

    def with_note(self, note: str) -> "OwnReport":
        """The same, one note longer."""
        return replace(self, notes=(*self.notes, note))


def report(
    data: EvaluatorData, split: Split, evaluator: Evaluator, situations: Callable[[Rows], Situations]
) -> OwnReport:
    """Score every model once on the test rows; peers are fitted on the training rows."""
    test = split.test
    label, weight = data.bought[test].astype(np.float64), data.weight[test].astype(np.float64)
    rate = float(np.average(data.bought[split.train], weights=data.weight[split.train]))
    found: dict[str, Floats] = {PRICESMITH: _predict(evaluator, data, test, situations)}
    found[BASE_RATE] = np.full(len(test), rate)
    found[LOGIT] = _price_logit(data, split.train, test)
    notes = []
    boosted = _boosted(data, split)
    if boosted is None:
        notes.append("LightGBM is not installed: not compared (pip install lightgbm)")
    else:
        found[BOOSTED] = boosted
    own = _losses(label, found[PRICESMITH])
    lines = tuple(_line(name, (label, weight, data.cluster[test]), p, own) for name, p in found.items())
    notes = [*_verdicts(lines), *notes]
    return OwnReport(
        rows={"train": len(split.train), "validation": len(split.validation), "test": len(test)},
        lines=lines,
        elasticity=_elasticity(evaluator, test, situations),
        notes=tuple(notes),
    )


def _verdicts(lines: tuple[Line, ...]) -> list[str]:
    own = lines[0]
    worse = [
        f"{one.name} is {'surely ' if one.high < 0 else ''}better on the test rows (log loss {one.log_loss:.5f} "
        f"against {own.log_loss:.5f}); more outcomes, or more varied prices, would help"
        for one in lines[1:]
        if one.log_loss < own.log_loss
    ]
    if not 0.9 <= own.mean_over_rate <= 1.1:
        worse.append(
            f"predictions are {own.mean_over_rate:.2f} of the purchase rate: demand changed after the training"
        )
    return worse


def _line(name: str, truth: tuple[Floats, Floats, NDArray[np.int64]], p: Floats, own: Floats) -> Line:
    label, weight, cluster = truth
    rate = float(np.average(label, weights=weight))
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    loss = log_loss(label, p, weight)
    low, high = _bootstrap((_losses(label, p) - own) * weight, weight, cluster)
    mean = float(np.average(p, weights=weight))
    return Line(name, loss, 1 - loss / entropy, auc(label, p, weight), mean / rate, low, high)


def _losses(label: Floats, p: Floats) -> Floats:
    clipped = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(-(label * np.log(clipped) + (1 - label) * np.log(1 - clipped)))


def _bootstrap(values: Floats, weight: Floats, cluster: NDArray[np.int64]) -> tuple[float, float]:
    """Percentile interval of a weighted mean, clusters drawn with replacement (Poisson weights)."""
    _, group = np.unique(cluster, return_inverse=True)
    group = group % _MAX_CLUSTERS
    total, mass = np.bincount(group, values), np.bincount(group, weight)
    draws = np.random.default_rng(_SEED).poisson(1.0, (_BOOTSTRAPS, len(total))).astype(np.float64)
    low, high = np.percentile((draws @ total) / np.maximum(1e-12, draws @ mass), [2.5, 97.5])
    return float(low), float(high)


def _predict(evaluator: Evaluator, data: EvaluatorData, rows: Rows, situations: Callable[[Rows], Situations]) -> Floats:
    parts = [
        evaluator.expect(situations(block), data.log_ratio[block].astype(np.float64)[:, None]).purchase[:, 0]
        for block in np.array_split(rows, 1 + len(rows) // _BLOCK)
    ]
    return np.concatenate(parts)


def _elasticity(
    evaluator: Evaluator, rows: Rows, situations: Callable[[Rows], Situations]
) -> tuple[float, float, float]:
    some = np.random.default_rng(_SEED).choice(rows, min(len(rows), 2_000), replace=False)
    response = evaluator.respond(situations(some), np.repeat([[-STEP, STEP]], len(some), axis=0))
    mean = np.log(response.purchase[:, 0] / response.purchase[:, 1]).mean() / (2 * STEP)
    draws = np.log(response.purchase_draws[:, 0] / response.purchase_draws[:, 1]).mean(axis=0) / (2 * STEP)
    low, high = np.percentile(draws, [5, 95])
    return float(mean), float(low), float(high)


def _price_logit(data: EvaluatorData, train: Rows, test: Rows) -> Floats:
    """Logistic regression on log(price / reference) alone, by Newton's method."""
    design = np.stack([np.ones(len(train)), data.log_ratio[train].astype(np.float64)], axis=1)
    label, weight = data.bought[train].astype(np.float64), data.weight[train].astype(np.float64)
    beta = np.zeros(2)
    for _ in range(_NEWTON):
        p = 1 / (1 + np.exp(-(design @ beta)))
        gradient = design.T @ (weight * (label - p)) - 1e-3 * beta
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-3 * np.eye(2)
        beta = beta + np.linalg.solve(hessian, gradient)
    return np.asarray(1 / (1 + np.exp(-(beta[0] + beta[1] * data.log_ratio[test].astype(np.float64)))))


def _boosted(data: EvaluatorData, split: Split) -> Floats | None:
    """LightGBM on the same numeric inputs and the price, constrained to fall in it; None where it is not installed."""
    try:
        import lightgbm
    except ImportError:
        return None

    def matrix(rows: Rows) -> NDArray[np.float32]:
        return np.concatenate([data.numeric[rows], data.log_ratio[rows, None]], axis=1)

    width = data.numeric.shape[1]
    model = lightgbm.LGBMClassifier(
        n_estimators=400,
        learning_rate=0.05,
        num_leaves=63 if len(split.train) > 100_000 else 15,
        min_child_samples=100 if len(split.train) > 100_000 else 20,
        monotone_constraints=[0] * width + [-1],
        random_state=_SEED,
        n_jobs=2,
        verbose=-1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(
            matrix(split.train),
            data.bought[split.train],
            sample_weight=data.weight[split.train],
            eval_X=matrix(split.validation),
            eval_y=data.bought[split.validation],
            eval_metric="binary_logloss",
            callbacks=[lightgbm.early_stopping(30, verbose=False)],
        )
        return np.asarray(model.predict_proba(matrix(split.test)), np.float64)[:, 1]
