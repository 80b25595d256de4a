"""Worth of behaviour texts: whether later outcomes are told better with the encoder states of shoppers' texts.

A text's state enters as the interest in a product's category and as an input of the network. Encoding it is the longest
part of a quote for a shopper just met and of scoring, so that a model reads texts only where the interest that they
tell is surely worth it. Whether the network alone would find more in them is not asked, as it would be trained twice.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from models.evaluator.evaluator import INTEREST
from models.training.own_logit import PriceLogit, fit_logit
from models.training.own_rows import OwnRows, Split
from models.training.own_table import OwnTable, paired_gain

READ: Final = "behaviour texts read"
UNREAD: Final = "behaviour texts unread"


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


def without_texts(
    table: OwnTable, split: Split, read: PriceLogit
) -> tuple[OwnTable, PriceLogit, dict[str, float]] | None:
    """Leave the texts unread unless the validation rows are told better with them by over one standard error.

    `read` is the logit fitted with them. Returns the table and logit without them and the mean log losses of both; None
    where the texts are worth reading, or where there are none.
    """
    if table.rows.interest_alone is None:
        return None
    rows = split.validation
    plain = table.with_rows(unread(table.rows), split.train)
    logit = fit_logit(plain.of(split.train), plain.rows.effects, drifts=read.drifts, sd=read.sd)
    losses = [one.losses(rows, fitted.logits(one.of(rows))) for one, fitted in ((plain, logit), (table, read))]
    mass = table.rows.mass(rows)
    gain, error = paired_gain(losses[0], losses[1], mass)
    named = {name: float(np.average(loss, weights=mass)) for name, loss in zip((UNREAD, READ), losses, strict=True)}
    return None if gain > error else (plain, logit, named)
