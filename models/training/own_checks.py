"""Checks that a merchant's outcomes identify a price response; those that do not are refused with the reason."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.errors import TrainingDataError
from models.training.metrics import auc

LEAST_OUTCOMES: Final = 200
LEAST_OF_EACH: Final = 20
_MIN_SPREAD: Final = 0.01
_MIN_VARIED: Final = 0.1
_LEAK_AUC: Final = 0.97
_FILLED_IN: Final = 0.99
_STEP: Final = 0.005
_MIN_KNOWN: Final = 0.5
_MAX_WEIGHT: Final = 20.0
_MIN_EFFECTIVE: Final = 0.2
_NEWTON: Final = 20


@dataclass(frozen=True, slots=True)
class OfferLog:
    """Offers and their outcomes, `(n,)` each.

    Attributes:
        product: Row number of the product.
        at_s: Unix seconds.
        log_ratio: log(price / reference).
        bought: 1 for purchases, else 0.
    """

    product: NDArray[np.int64]
    at_s: NDArray[np.float64]
    log_ratio: NDArray[np.float32]
    bought: NDArray[np.float32]


def check_offers(offers: OfferLog, now_s: float) -> None:
    """Check the offers.

    Raises:
        TrainingDataError: The offers do not identify a price response; the message has the first reason found.
    """
    n, buys = len(offers.bought), int(offers.bought.sum())
    if n < LEAST_OUTCOMES:
        raise _refused(f"{n} outcomes are too few", f"at least {LEAST_OUTCOMES}", "import more outcomes")
    if min(buys, n - buys) < LEAST_OF_EACH:
        raise _refused(
            f"{buys} of {n} outcomes are purchases",
            f"at least {LEAST_OF_EACH} purchases and {LEAST_OF_EACH} others",
            "import the offers that were declined too (bought = 0), not only sales"
            if buys > n - buys
            else "import a longer period, or more of the purchases, with their sampling rate as weight",
        )
    if float(np.ptp(offers.at_s)) <= 0:
        raise _refused("all outcomes have the same time", "different times", "import the time of each offer")
    if float(offers.at_s.max()) > now_s + 86_400:
        raise _refused("some outcomes are in the future", "times up to now", "check the time zone of column `at`")
    _check_prices(offers)
    _check_leaks(offers)


def _check_prices(offers: OfferLog) -> None:
    """Check that prices vary within products; differences between products do not identify a price response."""
    step = np.rint(offers.log_ratio / _STEP).astype(np.int64)
    order = np.lexsort((step, offers.product))
    product, sorted_step = offers.product[order], step[order]
    changes = np.r_[False, (np.diff(product) == 0) & (np.diff(sorted_step) != 0)]
    varied = np.unique(product[changes])
    share = float(np.isin(offers.product, varied).mean())
    spread = float(offers.log_ratio.std())
    if share < _MIN_VARIED or spread < _MIN_SPREAD:
        raise _refused(
            f"only {share:.0%} of the outcomes are of products whose price ever changed relative to the reference, and "
            f"the standard deviation of the log price ratio is {spread:.1%}",
            f"at least {_MIN_VARIED:.0%} and {_MIN_SPREAD:.0%}",
            "import the reference_price of each offer, or let prices vary first (PRICESMITH_EXPLORATION=cautious)",
        )


def _check_leaks(offers: OfferLog) -> None:
    bought = offers.bought > 0
    found = auc(offers.bought.astype(np.float64), -offers.log_ratio.astype(np.float64), np.ones(len(bought)))
    if max(found, 1 - found) > _LEAK_AUC:
        raise _refused(
            f"the price alone predicts purchases with AUC {max(found, 1 - found):.3f}",
            f"at most {_LEAK_AUC}",
            "the price column probably has the price paid for purchases and another price otherwise; "
            "import the price that each shopper was shown",
        )
    declined, sold = (_modal_share(offers.log_ratio[rows]) for rows in (~bought, bought))
    if declined > _FILLED_IN and sold < 0.5:
        raise _refused(
            f"{declined:.0%} of the declined offers have the same price ratio, but purchases do not",
            "varying prices for both",
            "prices of declined offers seem to be filled in later; import the price that each shopper was shown",
        )


def _modal_share(log_ratio: NDArray[np.float32]) -> float:
    _, counts = np.unique(np.rint(log_ratio / _STEP), return_counts=True)
    return float(counts.max() / counts.sum())


def _refused(what: str, allowed: str, remedy: str) -> TrainingDataError:
    return TrainingDataError(
        f"these outcomes do not identify a price response: {what}; allowed: {allowed}; remedy: {remedy}"
    )


def propensity_note(offers: OfferLog, propensity: NDArray[np.float32]) -> str | None:
    """Warn about confounded prices, using logged propensities; None if nothing is wrong.

    A model needs no propensities if its inputs include everything that prices were set on. This is tested: with
    outcomes weighted by the inverse propensity (clipped), prices are as if randomised, so the slope must not change.
    """
    known = np.isfinite(propensity) & (propensity > 0)
    share = float(known.mean())
    if share <= _MIN_KNOWN:
        return (
            f"only {share:.0%} of the outcomes have the propensity of their price: where prices followed demand (for "
            "example, discounts on popular days), the price response is confounded; remedy: exploration "
            "(PRICESMITH_EXPLORATION=cautious)"
        )
    inverse = 1.0 / propensity[known].astype(np.float64)
    weight = np.minimum(inverse / inverse.mean(), _MAX_WEIGHT)
    effective = float(weight.sum() ** 2 / (weight**2).sum() / len(weight))
    x, bought = offers.log_ratio[known].astype(np.float64), offers.bought[known].astype(np.float64)
    (plain, error), (random, wider) = (_price_slope(x, bought, w) for w in (np.ones_like(weight), weight))
    if abs(plain - random) > 2.0 * float(np.hypot(error, wider)):
        return (
            f"prices depended on demand: a logit in log price has slope {plain:.2f}, and {random:.2f} with outcomes "
            "weighted by 1/propensity; the fitted response is correct only if everything that prices were set on was "
            "imported"
        )
    if effective < _MIN_EFFECTIVE:
        return (
            f"propensities are uneven: weighted by their inverse, the effective sample size is {effective:.0%} of the "
            "outcomes; the response at prices that were rarely shown is uncertain"
        )
    return None


def _price_slope(log_ratio: Floats, bought: Floats, weight: Floats) -> tuple[float, float]:
    """Fit a weighted logit in log price; returns its slope, positive where demand falls, and robust standard error."""
    design = np.stack([np.ones(len(log_ratio)), -log_ratio], axis=1)
    beta = np.zeros(2)
    for _ in range(_NEWTON):
        p = 1 / (1 + np.exp(-(design @ beta)))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        beta = beta + np.linalg.solve(hessian, design.T @ (weight * (bought - p)))
    scores = design * (weight * (bought - p))[:, None]
    inverse = np.linalg.inv(hessian)
    return float(beta[1]), float(np.sqrt((inverse @ (scores.T @ scores) @ inverse)[1, 1]))
