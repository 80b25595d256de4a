"""Whether a merchant's outcomes can teach how demand answers to price; refused with the reason when they cannot."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.errors import TrainingDataError
from models.training.metrics import auc

LEAST_OUTCOMES: Final = 2_000
LEAST_OF_EACH: Final = 50
_LEAST_SPREAD: Final = 0.01
_LEAST_VARIED: Final = 0.1
_LEAK_AUC: Final = 0.97
_FILLED_IN: Final = 0.99
_STEP: Final = 0.005
_ENOUGH_KNOWN: Final = 0.5
_MOST_WEIGHT: Final = 20.0
_LEAST_EFFECTIVE: Final = 0.2
_NEWTON: Final = 20


@dataclass(frozen=True, slots=True)
class OfferLog:
    """OfferLog and what became of them, `(n,)` each.

    Attributes:
        product: Row number of the product.
        at_s: Unix seconds.
        log_ratio: log(price / reference).
    """

    product: NDArray[np.int64]
    at_s: NDArray[np.float64]
    log_ratio: NDArray[np.float32]
    bought: NDArray[np.float32]


def check_offers(offers: OfferLog, now_s: float) -> None:
    """Raises TrainingDataError with the first reason why these offers cannot be learned from."""
    n, buys = len(offers.bought), int(offers.bought.sum())
    if n < LEAST_OUTCOMES:
        raise _refused(f"{n} outcomes are too few", f"{LEAST_OUTCOMES} or more", "import more outcomes")
    if min(buys, n - buys) < LEAST_OF_EACH:
        raise _refused(
            f"{buys} of {n} outcomes were purchases",
            f"{LEAST_OF_EACH} of each kind or more",
            "import the offers that were declined too (bought = 0), not sales alone"
            if buys > n - buys
            else "import a longer period, or more of the purchases, with their sampling rate as weight",
        )
    if float(np.ptp(offers.at_s)) <= 0:
        raise _refused("all outcomes have the same time", "times that differ", "import when each offer was made")
    if float(offers.at_s.max()) > now_s + 86_400:
        raise _refused("some outcomes lie in the future", "times up to now", "check the time zone of column `at`")
    _check_prices(offers)
    _check_leaks(offers)


def _check_prices(offers: OfferLog) -> None:
    """Prices must vary within products: between products they say what kind of product it is."""
    step = np.rint(offers.log_ratio / _STEP).astype(np.int64)
    order = np.lexsort((step, offers.product))
    product, sorted_step = offers.product[order], step[order]
    changes = np.r_[False, (np.diff(product) == 0) & (np.diff(sorted_step) != 0)]
    varied = np.unique(product[changes])
    share = float(np.isin(offers.product, varied).mean())
    spread = float(offers.log_ratio.std())
    if share < _LEAST_VARIED or spread < _LEAST_SPREAD:
        raise _refused(
            f"{share:.0%} of the outcomes are of products whose price ever changed against its reference, "
            f"by {spread:.1%} in all",
            f"{_LEAST_VARIED:.0%} and {_LEAST_SPREAD:.0%} or more",
            "give each offer's reference_price, or let prices vary first (PRICESMITH_EXPLORATION=cautious)",
        )


def _check_leaks(offers: OfferLog) -> None:
    bought = offers.bought > 0
    found = auc(offers.bought.astype(np.float64), -offers.log_ratio.astype(np.float64), np.ones(len(bought)))
    if max(found, 1 - found) > _LEAK_AUC:
        raise _refused(
            f"price alone tells buyers from others (AUC {max(found, 1 - found):.3f})",
            f"at most {_LEAK_AUC}",
            "the price column likely holds what buyers paid, and something else where nobody bought; "
            "import the price each shopper was shown",
        )
    declined, sold = (_modal_share(offers.log_ratio[rows]) for rows in (~bought, bought))
    if declined > _FILLED_IN and sold < 0.5:
        raise _refused(
            f"{declined:.0%} of declined offers have one and the same price ratio, purchases do not",
            "prices that vary for both",
            "prices of declined offers seem to be filled in afterwards; import the price each shopper was shown",
        )


def _modal_share(log_ratio: NDArray[np.float32]) -> float:
    _, counts = np.unique(np.rint(log_ratio / _STEP), return_counts=True)
    return float(counts.max() / counts.sum())


def _refused(what: str, allowed: str, remedy: str) -> TrainingDataError:
    return TrainingDataError(
        f"these outcomes cannot teach a price response: {what}; allowed: {allowed}; remedy: {remedy}"
    )


def propensity_note(offers: OfferLog, propensity: NDArray[np.float32]) -> str | None:
    """What logged propensities say of the price response; None when there is nothing to tell.

    A model of outcomes needs no propensities where it sees whatever prices were set on. They check that it does:
    weighted by their inverse (clipped), prices are as good as drawn at random, so that the response must stay the same.
    """
    known = np.isfinite(propensity) & (propensity > 0)
    share = float(known.mean())
    if share <= _ENOUGH_KNOWN:
        return (
            f"{share:.0%} of the outcomes say how likely their price was: where prices followed demand (a sale because "
            "it sells), the price response is confounded; exploration (PRICESMITH_EXPLORATION=cautious) mends that"
        )
    inverse = 1.0 / propensity[known].astype(np.float64)
    weight = np.minimum(inverse / inverse.mean(), _MOST_WEIGHT)
    effective = float(weight.sum() ** 2 / (weight**2).sum() / len(weight))
    x, bought = offers.log_ratio[known].astype(np.float64), offers.bought[known].astype(np.float64)
    (plain, error), (random, wider) = (_steepness(x, bought, w) for w in (np.ones_like(weight), weight))
    if abs(plain - random) > 2.0 * float(np.hypot(error, wider)):
        return (
            f"prices went with demand: in a logit in log price alone the slope is {plain:.2f}, and {random:.2f} with "
            "outcomes weighted by 1/propensity; the response is right as far as all that set prices was imported"
        )
    if effective < _LEAST_EFFECTIVE:
        return (
            f"propensities are uneven: weighted by their inverse the outcomes are worth {effective:.0%} of their "
            "number, prices that were seldom shown are known little"
        )
    return None


def _steepness(log_ratio: Floats, bought: Floats, weight: Floats) -> tuple[float, float]:
    """Slope of a weighted logit in log price, positive where demand falls, and its robust standard error."""
    design = np.stack([np.ones(len(log_ratio)), -log_ratio], axis=1)
    beta = np.zeros(2)
    for _ in range(_NEWTON):
        p = 1 / (1 + np.exp(-(design @ beta)))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        beta = beta + np.linalg.solve(hessian, design.T @ (weight * (bought - p)))
    scores = design * (weight * (bought - p))[:, None]
    inverse = np.linalg.inv(hessian)
    return float(beta[1]), float(np.sqrt((inverse @ (scores.T @ scores) @ inverse)[1, 1]))
