"""Off-policy evaluation: estimates of a policy's profit from the decision log of another policy."""

from eval.off_policy.diagnostics import Diagnostics, diagnose
from eval.off_policy.estimators import Estimator, OffPolicyEvaluator
from eval.off_policy.intervals import Estimate, Terms, bootstrap
from eval.off_policy.sample import Sample, Target
from eval.off_policy.weights import BANDWIDTHS, Weights, exact_weights, kernel_weights

__all__ = [
    "BANDWIDTHS",
    "Diagnostics",
    "Estimate",
    "Estimator",
    "OffPolicyEvaluator",
    "Sample",
    "Target",
    "Terms",
    "Weights",
    "bootstrap",
    "diagnose",
    "exact_weights",
    "kernel_weights",
]
