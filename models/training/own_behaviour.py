"""Worth of behaviour texts: whether later outcomes are told better with the encoder states of shoppers' texts.

A text's state enters as the interest in a product's category and as input of the network. Encoding it is the longest
part of a quote for a shopper just met and of scoring, so that a model reads texts only where that is surely better.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from models.evaluator.evaluator import INTEREST
from models.training.own_assembly import AddedNetwork
from models.training.own_kinks import Ramps
from models.training.own_logit import PriceLogit
from models.training.own_network import added_network, with_network
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


def behaviour_chosen(
    table: OwnTable, split: Split, model: tuple[PriceLogit, Ramps], net: AddedNetwork, share: float
) -> tuple[OwnTable, AddedNetwork, dict[str, float]]:
    """Leave the texts unread unless the validation rows are surely told better with them, by one standard error.

    Returns table and network as they go on, and mean log losses by `READ` and `UNREAD`; none where no text was read.
    """
    if table.rows.interest_alone is None:
        return table, net, {}
    plain = table.but(rows=unread(table.rows))
    alone = added_network(net.net, plain, split.train) if share else net
    rows = split.validation
    losses = [
        seen.losses(rows, with_network(seen, rows, model, (share * added.level[rows], share * added.slope[rows])))
        for seen, added in ((plain, alone), (table, net))
    ]
    mass = table.rows.mass(rows)
    gain, error = paired_gain(losses[0], losses[1], mass)
    named = {name: float(np.average(loss, weights=mass)) for name, loss in zip((UNREAD, READ), losses, strict=True)}
    return (table, net, named) if gain > error else (plain, alone, named)
