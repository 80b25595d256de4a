"""Peers on real data: a logit with obvious features, LightGBM, and a conditional logit where choices are shown.

Each is tuned on the latest fifth of the rows before those held out, and then fitted again on all of these.
"""

import warnings
from itertools import product
from typing import Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from eval.real.data import RIVALS, SEEN, Occasions, RealSet
from models.arrays import Floats
from models.training.own_report import losses

LOGIT: Final = "logit, obvious features"
BOOSTED: Final = "LightGBM, monotone"
CONDITIONAL: Final = "conditional logit"
_LATER: Final = 0.2
_SEED: Final = 17
_STRENGTHS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_MOST_WORDS: Final = 60
_PRIOR_ROWS: Final = 20.0
_LEAVES: Final = (7, 15, 31, 63)
_LEAST_ROWS: Final = (20, 100, 400)
_ROUNDS: Final = 2_000
_STOP: Final = 50

Train = NDArray[np.bool_]


class Demand(Protocol):
    """A fitted peer."""

    def __call__(self, price: Floats) -> Floats:
        """Purchase probability of every row of its set at a price, `(n,)`."""
        ...


def peers_of(data: RealSet) -> dict[str, Demand]:
    """Fit every peer that the set allows."""
    train = ~data.test
    found: dict[str, Demand] = {LOGIT: obvious_logit(data, train), BOOSTED: boosted(data, train)}
    if data.occasions is not None:
        found[CONDITIONAL] = conditional_logit(data, data.occasions, train)
    return found


def obvious_logit(data: RealSet, train: Train) -> Demand:
    """Logistic regression on log price, words, numbers and the set's interactions, ridge strength tuned."""
    from sklearn.linear_model import LogisticRegression

    label, weight = _label(data)
    fit, later = _earlier(train)
    design = _Design(data, train)

    def fitted(rows: NDArray[np.int64], strength: float) -> LogisticRegression:
        model = LogisticRegression(C=strength, max_iter=2_000)
        return model.fit(design(data.offers["price"].to_numpy())[rows], label[rows], weight[rows] / weight[rows].mean())

    usual = design(data.offers["price"].to_numpy())

    def loss(strength: float) -> float:
        p = fitted(fit, strength).predict_proba(usual[later])[:, 1]
        return float(np.average(losses(label[later], p), weights=weight[later]))

    model = fitted(np.flatnonzero(train), min(_STRENGTHS, key=loss))
    return lambda price: np.asarray(model.predict_proba(design(price))[:, 1])


class _Design:
    """Design matrix of the logit: standardised numbers, words as indicators, products of the set's interactions."""

    def __init__(self, data: RealSet, train: Train) -> None:
        self._offers, self._data = data.offers, data
        numbers, words = _kinds(data)
        self._fixed: dict[str, Floats] = {}
        for name in numbers:
            column = data.offers[name].to_numpy(np.float64)
            known = ~np.isnan(column)
            filled = np.where(known, column, np.nanmedian(column))
            self._fixed[name] = filled[:, None]
            if not known.all():
                self._fixed[f"{name} is known"] = known.astype(np.float64)[:, None]
        label, weight = _label(data)
        for name in words:
            column = data.offers[name].astype(str)
            if column.nunique() <= _MOST_WORDS:
                self._fixed[name] = pd.get_dummies(column, drop_first=True).to_numpy(np.float64)
            else:
                self._fixed[name] = _shrunken_rate(column, label, weight, train)[:, None]
        usual = self._columns(data.offers["price"].to_numpy())[train]
        self._mean, self._sd = usual.mean(axis=0), np.maximum(1e-9, usual.std(axis=0))

    def __call__(self, price: Floats) -> Floats:
        """The matrix at a price for each row, `(n, columns)`."""
        return np.asarray((self._columns(price) - self._mean) / self._sd)

    def _columns(self, price: Floats) -> Floats:
        reference = self._offers["reference_price"].to_numpy(np.float64)
        named = dict(self._fixed) | {"log_price": np.log(price / reference)[:, None]}
        if RIVALS in self._offers:
            named["log_rival"] = np.log(price / self._offers[RIVALS].to_numpy(np.float64))[:, None]
        crossed = [
            (named[one][:, :, None] * named[other][:, None, :]).reshape(len(price), -1)
            for one, other in self._data.interactions
        ]
        return np.concatenate([*named.values(), *crossed], axis=1)


def boosted(data: RealSet, train: Train) -> Demand:
    """LightGBM, monotone in price; leaves, rows a leaf and rounds tuned."""
    import lightgbm

    label, weight = _label(data)
    fit, later = _earlier(train)
    numbers, words = _kinds(data)
    fixed = [data.offers[name].to_numpy(np.float64) for name in numbers]
    coded = [pd.factorize(data.offers[name].astype(str))[0].astype(np.float64) for name in words]
    reference = data.offers["reference_price"].to_numpy(np.float64)
    rival = data.offers[RIVALS].to_numpy(np.float64) if RIVALS in data.offers else None

    def table(price: Floats) -> Floats:
        prices = [np.log(price / reference), np.log(price)] + ([] if rival is None else [np.log(price / rival)])
        return np.stack([*coded, *fixed, *prices], axis=1)

    usual = table(data.offers["price"].to_numpy())
    falls = [0] * (len(coded) + len(fixed)) + [-1] * (usual.shape[1] - len(coded) - len(fixed))

    def model(rounds: int, leaves: int, least: int) -> lightgbm.LGBMClassifier:
        return lightgbm.LGBMClassifier(
            n_estimators=rounds,
            learning_rate=0.03,
            num_leaves=leaves,
            min_child_samples=least,
            monotone_constraints=falls,
            random_state=_SEED,
            n_jobs=2,
            verbose=-1,
        )

    tried = []
    categorical = list(range(len(coded)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for leaves, least in product(_LEAVES, _LEAST_ROWS):
            one = model(_ROUNDS, leaves, least)
            one.fit(
                usual[fit],
                label[fit],
                sample_weight=weight[fit],
                eval_X=usual[later],
                eval_y=label[later],
                eval_sample_weight=[weight[later]],
                eval_metric="binary_logloss",
                categorical_feature=categorical,
                callbacks=[lightgbm.early_stopping(_STOP, verbose=False)],
            )
            loss = float(one.best_score_["valid_0"]["binary_logloss"])
            tried.append((loss, max(1, one.best_iteration_ or _ROUNDS), leaves, least))
        _, rounds, leaves, least = min(tried)
        best = model(rounds, leaves, least)
        best.fit(usual[train], label[train], sample_weight=weight[train], categorical_feature=categorical)

    def demand(price: Floats) -> Floats:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(best.predict_proba(table(price)), np.float64)[:, 1]

    return demand


def conditional_logit(data: RealSet, occasions: Occasions, train: Train) -> Demand:
    """Conditional logit (McFadden 1974) over the alternatives of each occasion, ridge strength tuned."""
    is_train = np.zeros(len(occasions.chosen), bool)
    is_train[occasions.occasion[train]] = True
    scale = np.maximum(1e-9, occasions.features[is_train].std(axis=(0, 1)))
    fit, later = _earlier(is_train)
    chosen = occasions.chosen

    def utilities(beta: Floats, features: Floats, rows: NDArray[np.int64] | slice) -> Floats:
        return np.where(occasions.available[rows], features[rows] / scale @ beta, -np.inf)

    def loss(beta: Floats, rows: NDArray[np.int64]) -> float:
        found = utilities(beta, occasions.features, rows)
        own = np.take_along_axis(found, chosen[rows][:, None], 1)[:, 0]
        return float((logsumexp(found, axis=1) - own).sum())

    def gradient(beta: Floats, rows: NDArray[np.int64]) -> Floats:
        found = utilities(beta, occasions.features, rows)
        left = np.exp(found - logsumexp(found, axis=1, keepdims=True))
        left[np.arange(len(rows)), chosen[rows]] -= 1
        return np.asarray(np.einsum("ij,ijk->k", left, occasions.features[rows]) / scale)

    def fitted(rows: NDArray[np.int64], strength: float) -> Floats:
        penalty = 1 / strength
        found = minimize(
            lambda beta: loss(beta, rows) + 0.5 * penalty * float(beta @ beta),
            np.zeros(occasions.features.shape[2]),
            jac=lambda beta: gradient(beta, rows) + penalty * beta,
            method="L-BFGS-B",
        )
        return np.asarray(found.x)

    strength = min(_STRENGTHS, key=lambda one: loss(fitted(fit, one), later))
    beta = fitted(np.flatnonzero(is_train), strength)
    place = (occasions.occasion, occasions.alternative)

    def demand(price: Floats) -> Floats:
        features = occasions.features[occasions.occasion].copy()
        rows = np.arange(len(price))
        features[rows, occasions.alternative, occasions.price] = np.log(price)
        found = np.where(occasions.available[place[0]], features / scale @ beta, -np.inf)
        return np.asarray(np.exp(found[rows, place[1]] - logsumexp(found, axis=1)))

    return demand


def _label(data: RealSet) -> tuple[Floats, Floats]:
    return data.offers["bought"].to_numpy(np.float64), data.offers["weight"].to_numpy(np.float64)


def _earlier(train: Train) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to fit, and the latest fifth to tune on."""
    rows = np.flatnonzero(train)
    cut = round(len(rows) * (1 - _LATER))
    return rows[:cut], rows[cut:]


def _kinds(data: RealSet) -> tuple[list[str], list[str]]:
    """Columns with numbers and with words that describe an offer; constant ones are left out."""
    told = [name for name in data.offers if name in data.situation or name.startswith(SEEN)]
    told = [name for name in told if name != RIVALS and data.offers[name].nunique() > 1]
    words = [name for name in told if not pd.api.types.is_numeric_dtype(data.offers[name])]
    named = [name for name in ("product_id", "category") if data.offers[name].nunique() > 1]
    return [name for name in told if name not in words], [*named, *words]


def _shrunken_rate(column: pd.Series, label: Floats, weight: Floats, train: Train) -> Floats:
    """Log odds of a purchase by word, from the training rows, shrunk towards the mean."""
    known = pd.DataFrame({"word": column[train], "sold": (label * weight)[train], "all": weight[train]})
    sums = known.groupby("word")[["sold", "all"]].sum()
    rate = sums["sold"].sum() / sums["all"].sum()
    prior = _PRIOR_ROWS * float(weight[train].mean())
    found = ((sums["sold"] + prior * rate) / (sums["all"] + prior)).reindex(column).fillna(rate).to_numpy()
    return np.asarray(np.log(found / (1 - found)))
