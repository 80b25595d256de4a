"""Off-policy evaluation: what a policy would have earned, told from the log of another one."""

from eval.off_policy.diagnostics import Diagnostics, diagnose
from eval.off_policy.estimators import Estimator, Judge
from eval.off_policy.intervals import Estimate, Terms, bootstrap
from eval.off_policy.sample import Sample, Target
from eval.off_policy.weights import BANDWIDTHS, Weights, exact_weights, kernel_weights

__all__ = [
    "BANDWIDTHS",
    "Diagnostics",
    "Estimate",
    "Estimator",
    "Judge",
    "Sample",
    "Target",
    "Terms",
    "Weights",
    "bootstrap",
    "diagnose",
    "exact_weights",
    "kernel_weights",
]
