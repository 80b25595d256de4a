"""Updates of the prior standard deviations of groups of effects, from coefficients and their posterior covariances."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.training.own_evidence import LEAST_SD, Evidence
from models.training.own_rows import EffectColumns

ALL: Final = "all"
"""Group of the effect that every row has; its prior stays."""
_PRIOR_COUNT: Final = 2.0
_WIDE: Final = 2.0  # scale of the half-Cauchy prior of a group's sd, over the sd given

Known = tuple[NDArray[np.int64], Floats]
"""Columns of effects, with what is known of the spread of their coefficients."""


def group_sds(
    columns: EffectColumns, sd: Floats, coefficients: tuple[Floats, Floats], known: tuple[Known, Known]
) -> Floats:
    """Estimate the prior sds of every group but `ALL`, `(groups, 2)`.

    Each goes half of the way, in logarithms, as groups that explain the same rows would take turns otherwise.

    Args:
        columns: The effects, with the prior sds that were expected of their groups.
        sd: Prior sds of level and slope so far, `(groups, 2)`.
        coefficients: Levels and slopes `(k,)`.
        known: `j` columns with one covariance, whose first `2 j` rows are all levels, then all slopes; and the other
            columns with the variances of level and slope, `(a, 2)`.
    """
    (together, covariance), (others, variance) = known
    j, count = len(together), len(columns.names)
    place, apart = np.full(count, -1), np.full(count, -1)
    place[together], apart[others] = np.arange(j), np.arange(len(others))
    found = sd.copy()
    for group, name in enumerate(columns.groups):
        if name == ALL:
            continue
        members = columns.group == group
        joint, own = np.flatnonzero(members & (place >= 0)), np.flatnonzero(members & (apart >= 0))
        for part, values in enumerate(coefficients):
            before, at, evidence = sd[group, part], place[joint] + part * j, Evidence()
            evidence.add(values[joint], covariance[np.ix_(at, at)], before)
            evidence.add_independent(values[own], variance[apart[own], part], before)
            found[group, part] = np.sqrt(before * evidence.best_sd(_WIDE * columns.sd[group, part]))
    return found


def inputs_sd(values: Floats, variance: Floats, sd: float) -> float:
    """MacKay's update of a prior sd, with two pseudo-observations at the least sd; at most a factor of 3 per step."""
    if not len(values):
        return sd
    counted = float(np.clip(1.0 - variance / sd**2, 0.0, 1.0).sum())
    found = np.sqrt((float((values**2).sum()) + _PRIOR_COUNT * LEAST_SD**2) / (counted + _PRIOR_COUNT))
    return float(np.clip(found, sd / 3, sd * 3))
