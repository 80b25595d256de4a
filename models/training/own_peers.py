"""Baselines on the same rows and columns: a logit in log price, and LightGBM.

The logit has no hyperparameters and is fitted on all rows before the test rows. LightGBM chooses the number of trees
and whether to use the date on the validation rows, and is then fitted again on all rows before the test rows.
"""

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.text_effects import GROUP as TEXT
from models.training.own_rows import EffectColumns, OwnRows, Rows, Split

Matrix = NDArray[np.float32]

SEED: Final = 17
MOST_ROWS: Final = 1_000_000
_NEWTON: Final = 30
_ROUNDS: Final = 400
_STOP: Final = 30


def price_logit(rows: OwnRows, train: Rows, test: Rows) -> Floats:
    """Fit a logistic regression on log(price / reference); returns probabilities on the test rows."""
    data = rows.data
    design = np.stack([np.ones(len(train)), data.log_ratio[train].astype(np.float64)], axis=1)
    label, weight = data.bought[train].astype(np.float64), rows.mass(train)
    beta = np.zeros(2)
    for _ in range(_NEWTON):
        p = 1 / (1 + np.exp(-(design @ beta)))
        gradient = design.T @ (weight * (label - p)) - 1e-3 * beta
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-3 * np.eye(2)
        beta = beta + np.linalg.solve(hessian, gradient)
    return np.asarray(1 / (1 + np.exp(-(beta[0] + beta[1] * data.log_ratio[test].astype(np.float64)))))


def boosted(rows: OwnRows, split: Split) -> Floats | None:
    """Fit LightGBM, monotone in price; returns probabilities on the test rows, None if it is not installed."""
    try:
        import lightgbm
    except ImportError:
        return None
    train, known = _some(split.train), _some(split.known)
    many = len(train) > 100_000
    settings: dict[str, Any] = {
        "learning_rate": 0.05,
        "num_leaves": 63 if many else 15,
        "min_child_samples": 100 if many else 20,
        "random_state": SEED,
        "n_jobs": 2,
        "verbose": -1,
    }
    label, weight = rows.data.bought, rows.data.weight
    tried = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for dated in (False, True):
            table, words = _columns(rows, dated=dated)
            falls = [0] * (table.shape[1] - 1) + [-1]
            first = lightgbm.LGBMClassifier(n_estimators=_ROUNDS, **settings, monotone_constraints=falls)
            first.fit(
                table[train],
                label[train],
                sample_weight=weight[train],
                eval_X=table[split.validation],
                eval_y=label[split.validation],
                eval_sample_weight=[weight[split.validation]],
                eval_metric="binary_logloss",
                categorical_feature=words,
                callbacks=[lightgbm.early_stopping(_STOP, verbose=False)],
            )
            loss = float(first.best_score_["valid_0"]["binary_logloss"])
            tried.append((loss, dated, max(1, first.best_iteration_ or _ROUNDS)))
        _, dated, rounds = min(tried)
        table, words = _columns(rows, dated=dated)
        falls = [0] * (table.shape[1] - 1) + [-1]
        again = lightgbm.LGBMClassifier(n_estimators=rounds, **settings, monotone_constraints=falls)
        again.fit(table[known], label[known], sample_weight=weight[known], categorical_feature=words)
        return np.asarray(again.predict_proba(table[split.test]), np.float64)[:, 1]


def _some(rows: Rows) -> Rows:
    return rows[:: 1 + len(rows) // MOST_ROWS]


def _columns(rows: OwnRows, *, dated: bool) -> tuple[Matrix, list[int]]:
    """Build LightGBM's inputs, price last, without constant columns; returns them and the categorical columns."""
    data = rows.data
    varies = np.flatnonzero(np.ptp(np.asarray(data.numeric[:: 1 + len(data.numeric) // 50_000]), axis=0) > 0)
    named, words = named_columns(rows.effects)
    days = (rows.at_s - rows.at_s.min())[:, None] / 86_400
    rest = [data.numeric[:, varies], *([days] if dated else []), rows.rival[:, None]]
    parts = [named, *rest, data.log_ratio[:, None]]
    return np.concatenate(parts, axis=1, dtype=np.float32), words


def named_columns(effects: EffectColumns) -> tuple[Matrix, list[int]]:
    """Decode effects to one column per field, `(n, fields)`, nan where missing; returns the categorical columns too."""
    found: list[Matrix] = []
    words: list[int] = []
    for place, group in enumerate(effects.groups):
        members = np.flatnonzero(effects.group == place)
        if group == "all" or len(members) < 2:
            continue
        values = effects.values.columns(members).to_sparse()
        if group == TEXT:
            found += list(values.toarray().astype(np.float32).T)
            continue
        if "@" in group:
            nodes = np.asarray([float(effects.names[m].rpartition(":")[2]) for m in members])
            column = np.where(values.getnnz(axis=1) > 0, values @ nodes, np.nan)
        else:
            words.append(len(found))
            column = np.where(values.getnnz(axis=1) > 0, values @ np.arange(len(members)), np.nan)
        found.append(np.asarray(column, np.float32))
    return np.stack(found, axis=1) if found else np.zeros((effects.values.shape[0], 0), np.float32), words
