"""Standard models for comparison with Pricesmith's evaluator, trained on the same rows.

Peers use the numeric features and the price. Case-control sampling is corrected exactly: log(rate) is added to the
logit fitted on the sampled rows, which is valid since the stratum is one of the features (Prentice & Pyke 1979).
LightGBM uses early stopping on the validation weeks.
"""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eval.demand.metrics import STEP, Predictions
from eval.demand.protocol import Demand, Ints
from models.arrays import Floats
from models.shopper.features import FEATURES

Matrix = NDArray[np.float32]
Logit = Callable[[Matrix], Floats]

SEED: Final = 17
_ROUNDS: Final = 600


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a peer: the first `columns` numeric features, display and mailer, and the log price ratio.

    Attributes:
        price, promotion: Whether the price, and display and mailer, are inputs.
    """

    columns: int = len(FEATURES)
    price: bool = True
    promotion: bool = True

    def matrix(self, demand: Demand, rows: Ints, shift: float = 0.0) -> Matrix:
        """Build the design matrix `(n, columns + 2 promotion + price)`, with `shift` added to the log price ratio."""
        parts = [demand.data.numeric[rows, : self.columns]]
        if self.promotion and demand.data.promotion is not None:
            parts.append(demand.data.promotion[rows])
        if self.price:
            parts.append(demand.data.log_ratio[rows, None] + np.float32(shift))
        return np.concatenate(parts, axis=1)


def logistic(train: Matrix, label: Matrix, _validation: tuple[Matrix, Matrix]) -> Logit:
    """Fit a logistic regression on standardised inputs."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return _logit_of(model.fit(train, label))


def multilayer(train: Matrix, label: Matrix, _validation: tuple[Matrix, Matrix]) -> Logit:
    """Fit a multilayer perceptron with two hidden layers."""
    network = MLPClassifier((128, 64), batch_size=2048, max_iter=6, learning_rate_init=1e-3, random_state=SEED)
    model = make_pipeline(StandardScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is fixed
        return _logit_of(model.fit(train, label))


@dataclass(frozen=True, slots=True)
class Boosting:
    """Hyperparameters of LightGBM."""

    learning_rate: float = 0.08
    num_leaves: int = 63
    min_child_samples: int = 100
    colsample_bytree: float = 0.7
    reg_lambda: float = 0.0
    path_smooth: float = 0.0


TUNED: Final = Boosting(0.05, 95, 400, 0.35, 20.0, 20.0)
"""Chosen on validation weeks, for all of Pricesmith's inputs."""
_FEW_ROWS: Final = Boosting(num_leaves=15, min_child_samples=20)


def boosted(
    *, monotone: bool, price: bool = True, settings: Boosting = Boosting()
) -> Callable[[Matrix, Matrix, tuple[Matrix, Matrix]], Logit]:
    """Return a fit function for LightGBM, optionally constrained to decrease in price (the last column).

    On up to 100,000 rows smaller trees take the place of `settings`.
    """

    def fit(train: Matrix, label: Matrix, validation: tuple[Matrix, Matrix]) -> Logit:
        constraints = [0] * (train.shape[1] - 1) + [-1 if monotone and price else 0]
        held_out, held_label = validation
        model = lightgbm.LGBMClassifier(
            n_estimators=_ROUNDS,
            **asdict(settings if len(train) > 100_000 else _FEW_ROWS),
            subsample=0.8,
            subsample_freq=1,
            monotone_constraints=constraints,
            random_state=SEED,
            n_jobs=2,
            verbose=-1,
        )
        stop = lightgbm.early_stopping(30, verbose=False)
        model.fit(train, label, eval_X=held_out, eval_y=held_label, eval_metric="binary_logloss", callbacks=[stop])
        return lambda rows: np.asarray(model.predict(rows, raw_score=True), np.float64)

    return fit


@dataclass(frozen=True, slots=True)
class Peer:
    """A comparison model: name, inputs and fit function."""

    name: str
    inputs: Inputs
    fit: Callable[[Matrix, Matrix, tuple[Matrix, Matrix]], Logit]


PEERS: Final = (
    Peer("logistic regression", Inputs(), logistic),
    Peer("LightGBM", Inputs(), boosted(monotone=False)),
    Peer("LightGBM, monotone", Inputs(), boosted(monotone=True)),
    Peer("MLP", Inputs(), multilayer),
    Peer("LightGBM without price", Inputs(price=False), boosted(monotone=False, price=False)),
)


def predict_peer(peer: Peer, demand: Demand, train: Ints, held_out: Ints) -> Predictions:
    """Fit on the training rows and predict the held-out rows; validation rows are for early stopping."""
    label = demand.data.bought
    validation = demand.rows("validation")
    logit = peer.fit(
        peer.inputs.matrix(demand, train), label[train], (peer.inputs.matrix(demand, validation), label[validation])
    )
    offset = np.log(demand.data.rate[held_out].astype(np.float64))

    def at(shift: float) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(logit(peer.inputs.matrix(demand, held_out, shift)) + offset))), np.float64)

    return Predictions(at(0.0), at(-STEP), at(STEP))


def _logit_of(model: Any) -> Logit:
    def logit(rows: Matrix) -> Floats:
        probability = np.clip(model.predict_proba(rows)[:, 1], 1e-12, 1 - 1e-12)
        return np.asarray(np.log(probability / (1 - probability)), np.float64)

    return logit
