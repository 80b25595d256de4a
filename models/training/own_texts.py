"""Worth of texts in a training on own outcomes: of shoppers' behaviour, and of products' descriptions.

The state of a behaviour text enters as the interest in a product's category. Encoding it is the longest part of a quote
for a shopper just met and of scoring, so that a model reads these texts only where the interest that they tell is
surely worth it.

Text effects tell new products apart, of which validation rows have few. They are left out only where they are surely
worse: where titles are numbers, for example, they fit chance.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from models.evaluator.evaluator import INTEREST
from models.training.own_logit import PriceLogit, fit_logit
from models.training.own_rows import OwnRows, Split
from models.training.own_table import SURELY_WORSE, OwnTable, gain_on

READ: Final = "behaviour texts read"
UNREAD: Final = "behaviour texts unread"
DESCRIBED: Final = "descriptions read"
UNDESCRIBED: Final = "descriptions unread"
_GAINS: Final = 2.0
"""Standard errors by which reading behaviour must be better: it doubles the time of a quote for a shopper just met."""

Plainer = tuple[OwnTable, PriceLogit, dict[str, float]]
"""A table that reads less, its logit, and mean log losses on the validation rows."""


def unread(rows: OwnRows) -> OwnRows:
    """Copy of rows whose shoppers all have the state of an unknown one; features of their history stay."""
    if rows.interest_alone is None:
        return rows
    numeric = np.array(rows.data.numeric)
    numeric[:, INTEREST] = rows.interest_alone
    data = replace(
        rows.data,
        numeric=numeric,
        shopper_row=np.zeros_like(rows.data.shopper_row),
        shopper_states=rows.data.stranger[None],
    )
    return replace(rows, data=data, interest_alone=None)


def without_behaviour(table: OwnTable, split: Split, read: PriceLogit) -> Plainer | None:
    """Leave behaviour unread; None where the validation rows are surely told better with it, or where it has no texts.

    `read` is the logit fitted with it.
    """
    if table.rows.interest_alone is None:
        return None
    plain = table.with_rows(unread(table.rows), split.train)
    logit = fit_logit(plain.of(split.train), plain.rows.effects, drifts=read.drifts, sd=read.sd)
    (gain, error), (after, before) = gain_on(split.validation, (plain, logit), (table, read))
    return None if gain > _GAINS * error else (plain, logit, {UNREAD: after, READ: before})


def without_descriptions(table: OwnTable, split: Split, read: PriceLogit) -> Plainer | None:
    """Leave descriptions unread; None where that is not surely better on the validation rows, or there are none.

    `read` is the logit fitted with them.
    """
    if table.rows.text is None:
        return None
    plain = table.but(rows=table.rows.without_text())
    logit = fit_logit(plain.of(split.train), plain.rows.effects, drifts=read.drifts)
    (gain, error), (before, after) = gain_on(split.validation, (table, read), (plain, logit))
    return (plain, logit, {UNDESCRIBED: after, DESCRIBED: before}) if gain > SURELY_WORSE * error else None
