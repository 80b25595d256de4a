"""Reproduction check: validation metrics of a fresh training compared with those of the shipped models.

Seeds are fixed, but the order of floating-point sums depends on the processor and its threads, and half precision is
used only where it is fast. Tolerances are set by judgement, below the gaps to the baselines; `docs/experiments.md`
lists the differences of one training.
"""

from dataclasses import dataclass
from math import nan
from typing import Final

from models.registry.registry import ModelKind, ModelMeta

TOLERANCE: Final[dict[ModelKind, dict[str, float]]] = {
    ModelKind.ENCODER: {
        "train_loss": 0.1,
        "interest_log_loss": 0.005,
        "interest_auc": 0.005,
        "ranking_train_loss": 0.05,
    },
    ModelKind.EVALUATOR: {
        "log_loss": 0.0001,
        "rig": 0.003,
        "auc": 0.003,
        "auc_category_only": 0.01,
        "mean_prediction_over_rate": 0.05,
        "elasticity": 0.4,
        "residual_price_slope": 0.08,
        "wrong_sign_share": 0.0,
    },
    ModelKind.STRATEGIST: {
        "numbers_regret_pct_first": 0.15,
        "numbers_regret_pct_best_of_8": 0.06,
        "numbers_distinct_of_8": 0.1,
        "numbers_valid_share": 0.0,
    },
    ModelKind.UNDERSTANDING: {"accuracy": 0.03, "accuracy_en": 0.04, "accuracy_zh": 0.04, "none_recall": 0.1},
    ModelKind.NARRATOR: {},  # measured by eval narrator, not in training
}
_IGNORED_SETTINGS: Final = ("evaluator", "prompt")  # names of versions it was trained with, not hyperparameters


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of a trained and the shipped version, nan where missing."""

    kind: ModelKind
    metric: str
    trained: float
    shipped: float
    tolerance: float

    @property
    def within(self) -> bool:
        """Whether the difference is within tolerance; False if a value is missing."""
        return abs(self.trained - self.shipped) <= self.tolerance + 1e-12


def compare(trained: ModelMeta, shipped: ModelMeta) -> list[Compared]:
    """Compare every metric that has a tolerance."""
    return [
        Compared(shipped.kind, name, trained.metrics.get(name, nan), shipped.metrics.get(name, nan), tolerance)
        for name, tolerance in TOLERANCE[shipped.kind].items()
    ]


def trained_otherwise(trained: ModelMeta, shipped: ModelMeta) -> list[str]:
    """List the settings that differ; with different settings the metrics are not comparable."""
    names = sorted((trained.config.keys() | shipped.config.keys()) - set(_IGNORED_SETTINGS))
    return [
        f"{shipped.kind}: {name} is {trained.config.get(name, 'unset')}, shipped {shipped.config.get(name, 'unset')}"
        for name in names
        if trained.config.get(name) != shipped.config.get(name)
    ]
