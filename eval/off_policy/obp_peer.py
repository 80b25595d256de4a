"""Estimates by Open Bandit Pipeline on the same simulated logs; installed by `make peers`, never a dependency."""

import importlib
import importlib.util
from typing import Any, Final

import numpy as np
from lightgbm import LGBMRegressor
from sklearn.linear_model import Ridge

from eval.off_policy.sample import Sample, Target
from models.arrays import Floats

_FOLDS: Final = 2
_MODELS: Final[dict[str, Any]] = {
    "ridge": lambda: Ridge(alpha=1.0),
    "LightGBM": lambda: LGBMRegressor(n_estimators=80, num_leaves=15, learning_rate=0.08, n_jobs=1, verbose=-1),
}


def available() -> bool:
    """Whether obp is installed."""
    return importlib.util.find_spec("obp") is not None


def obp_values(sample: Sample, target: Target) -> dict[str, float]:
    """Estimate a target whose prices are in the log's support with obp's SNIPS and DR with two reward models."""
    ope = importlib.import_module("obp.ope")
    prices = sample.support[0]
    reward = sample.margin(sample.shown) * sample.bought
    feedback = {
        "n_rounds": len(sample),
        "n_actions": len(prices),
        "context": sample.context,
        "action": _action(sample.shown, prices),
        "reward": reward,
        "pscore": sample.propensity,
        "position": None,
    }
    target_choice = np.zeros((len(sample), len(prices), 1))
    target_choice[np.arange(len(sample)), _action(target.price[:, 0], prices), 0] = 1.0
    found = {}
    for name, make in _MODELS.items():
        model = ope.RegressionModel(n_actions=len(prices), base_model=make())
        rewards = model.fit_predict(
            context=feedback["context"],
            action=feedback["action"],
            reward=reward,
            pscore=sample.propensity,
            n_folds=_FOLDS,
            random_state=1,
        )
        doubly_robust = ope.OffPolicyEvaluation(feedback, [ope.DoublyRobust(estimator_name="dr")])
        value = doubly_robust.estimate_policy_values(action_dist=target_choice, estimated_rewards_by_reg_model=rewards)
        found[f"obp DR, {name}"] = float(value["dr"])
    snips = ope.OffPolicyEvaluation(feedback, [ope.SelfNormalizedInverseProbabilityWeighting(estimator_name="snips")])
    return found | {"obp SNIPS": float(snips.estimate_policy_values(action_dist=target_choice)["snips"])}


def _action(price: Floats, prices: Floats) -> Any:
    return np.abs(price[:, None] - prices[None]).argmin(axis=1)
