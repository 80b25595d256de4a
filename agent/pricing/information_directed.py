"""Information-directed choice between candidates: the two-point mix of least information ratio, in closed form.

With regret d_a (expected loss against the best candidate of each draw) and information v_a (variance over the identity
of the best candidate of the conditional mean of a), the mix minimises (sum p_a d_a)^2 / sum p_a v_a; two candidates
suffice (Russo and Van Roy 2014, 2018: variance-based information-directed sampling). Draws are finite and the mix is
computed, not sampled, so that the probability of each candidate is exact.
"""

from typing import Final

import numpy as np

from models.arrays import Floats

_TINY: Final = 1e-12


def mix(draws: Floats) -> Floats:
    """Probability of each candidate `(m,)`, of which at most two differ from zero.

    Args:
        draws: Worth of the candidates in posterior draws, `(m, draws)`, in one unit.
    """
    mean = draws.mean(axis=1)
    regret = np.maximum(0.0, draws.max(axis=0).mean() - mean)
    return _two_points(regret, _information(draws, mean) + _TINY)


def _information(draws: Floats, mean: Floats) -> Floats:
    """Variance of the mean worth given which candidate is best, `(m,)`."""
    best = draws.argmax(axis=0)
    wins = np.bincount(best, minlength=len(draws)).astype(np.float64)
    sums = draws @ np.eye(len(draws))[best]  # (m, m): total worth of a where b is best
    given = sums / np.maximum(1.0, wins)
    return np.asarray((wins * (given - mean[:, None]) ** 2).sum(axis=1) / draws.shape[1])


def _two_points(regret: Floats, information: Floats) -> Floats:
    """Minimise the information ratio over pairs; along a pair it is convex, with its minimum known in closed form."""
    gap = regret[:, None] - regret[None]
    more = information[:, None] - information[None]
    product = gap * more
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (regret[None] * more - 2.0 * gap * information[None]) / product
    share = np.where(product == 0.0, gap <= 0.0, np.clip(np.nan_to_num(share, nan=1.0), 0.0, 1.0))
    ratio = (regret[None] + share * gap) ** 2 / (information[None] + share * more)
    one, other = divmod(int(ratio.argmin()), len(regret))
    found = np.zeros(len(regret))
    found[one] += share[one, other]
    found[other] += 1.0 - share[one, other]
    return found
