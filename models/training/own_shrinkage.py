"""Shrinkage that later outcomes ask for: the prior standard deviation that no group of effects may exceed.

Empirical Bayes estimates how far effects lie apart among the training rows. Where demand moves on, such effects (of
reference prices, or of how much was bought before) hold for their own weeks only, and later outcomes are told better by
smaller ones.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from models.training.own_logit import PriceLogit, fit_logit
from models.training.own_rows import Split
from models.training.own_table import SURELY_WORSE, OwnTable, paired_gain, plainest_near_best

UNLIMITED: Final = float("inf")
MOST_SD: Final = (UNLIMITED, 1.0, 0.3, 0.1, 0.05)


def limited(table: OwnTable, split: Split, logit: PriceLogit, most: float) -> PriceLogit:
    """Fit a logit to the training rows again, with its prior standard deviations at most `most`."""
    if (logit.sd <= most).all():
        return logit
    return fit_logit(table.of(split.train), table.rows.effects, replace(logit, sd=np.minimum(logit.sd, most)))


def chosen_shrinkage(table: OwnTable, split: Split, logit: PriceLogit) -> tuple[PriceLogit, float, dict[str, float]]:
    """Select the most that prior standard deviations may be, by the validation rows.

    The estimated ones stay, unless they are surely worse (`SURELY_WORSE`) than a limit; then it is the tightest within
    one standard error of the best. Returns the logit, the limit, and the mean log loss by limit.
    """
    validation = table.of(split.validation)
    fitted = [logit]
    for most in MOST_SD[1:]:
        fitted.append(limited(table, split, fitted[-1], most))
    losses = [table.losses(split.validation, one.logits(validation)) for one in fitted]
    means = [float(np.average(loss, weights=validation.mass)) for loss in losses]
    named = {f"prior sd at most {most:g}": mean for most, mean in zip(MOST_SD, means, strict=True)}
    best = int(np.argmin(means))
    gain, error = paired_gain(losses[0], losses[best], validation.mass)
    if gain <= SURELY_WORSE * error:
        return logit, UNLIMITED, named
    place = len(MOST_SD) - 1 - plainest_near_best(losses[::-1], validation.mass)
    return fitted[place], MOST_SD[place], named
