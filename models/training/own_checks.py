"""Checks that a merchant's outcomes identify a price response; those that do not are refused with the reason."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingDataError
from models.training.metrics import auc

LEAST_OUTCOMES: Final = 200
LEAST_OF_EACH: Final = 20
_MIN_SPREAD: Final = 0.01
_MIN_VARIED: Final = 0.1
_LEAK_AUC: Final = 0.97
_FILLED_IN: Final = 0.99
_STEP: Final = 0.005


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
