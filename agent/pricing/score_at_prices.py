"""Scores at given prices, point in time, by steps 1, 2 and 4 of the pipeline.

Rows of one request at several prices share what does not depend on the price. Models read the rest in blocks that fit
the processor's caches, on all cores.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.candidates import Scores
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.pair_inputs import PairInputs, PairInputsReader
from agent.pricing.pair_reader import PairReader
from agent.pricing.retrieve import Retriever
from agent.pricing.score import score_columns, scores_of
from agent.pricing.situation_reader import SituationReader
from models.arrays import Floats
from models.available_cores import available_cores

_BLOCK: Final = 512

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A request and the price it would be offered at, in minor units."""

    request: QuoteRequest
    price_minor: int


@dataclass(frozen=True, slots=True)
class RowScorer:
    """Steps 1, 2 and 4 of the pipeline at prices that are given; nothing is recorded."""

    reader: SituationReader
    retriever: Retriever

    def score(self, rows: Sequence[PricedRow], now: datetime) -> list[Scores | Refusal]:
        """Scores of each row, or why it has none, in their order."""
        requests = {id(row.request): row.request for row in rows}
        pairs, read = PairReader(self.reader, list(requests.values()), now).read()
        pair_of = dict(zip(requests, read, strict=True))
        found: list[Scores | Refusal | None] = []
        priced: list[tuple[int, int, int]] = []  # pair, price, row
        for place, row in enumerate(rows):
            pair = pair_of[id(row.request)]
            if isinstance(pair, Refusal):
                found.append(pair)
            else:
                found.append(None)
                priced.append((pair, row.price_minor, place))
        if priced:
            inputs = PairInputsReader(self.reader, self.retriever).read(pairs)
            columns = np.asarray(priced, np.int64)
            for place, numbers in zip(columns[:, 2].tolist(), _scored(inputs, columns), strict=True):
                found[place] = scores_of(numbers)
        return [one for one in found if one is not None]

    def forget(self) -> None:
        """Drop what is kept of earlier rows, for an erasure."""
        self.retriever.forget()


def _scored(inputs: PairInputs, priced: NDArray[np.int64]) -> list[list[float]]:
    """Nine numbers of each row, in their order; `priced` `(n, 3)` has their pairs and prices."""
    found = np.empty((len(priced), 9))
    blocks = list(_blocks(priced[:, 0]))

    def score(rows: Rows) -> None:
        found[rows] = _block(inputs, priced[rows[:, 0], 0], priced[rows, 1])

    workers = min(available_cores(), len(blocks))
    if workers > 1:
        with ThreadPoolExecutor(workers) as threads:
            list(threads.map(score, blocks))
    else:
        list(map(score, blocks))
    return found.tolist()


def _blocks(pairs: NDArray[np.int64]) -> list[Rows]:
    """Rows `(k, m)` of k pairs that have m rows each."""
    order = np.argsort(pairs, kind="stable")
    _, starts, counts = np.unique(pairs[order], return_index=True, return_counts=True)
    return list(
        chain.from_iterable(
            _split(order[starts[counts == count][:, None] + np.arange(count)]) for count in np.unique(counts).tolist()
        )
    )


def _split(rows: Rows) -> list[Rows]:
    most = max(1, _BLOCK // rows.shape[1])
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _block(inputs: PairInputs, pairs: Rows, prices: NDArray[np.int64]) -> Floats:
    """Nine numbers of some pairs `(k,)` at prices `(k, m)`, `(k, m, 9)`."""
    price = prices.astype(np.float64)
    reference, margin = inputs.reference[pairs, None], (price - inputs.cost[pairs, None]) * inputs.quantity[pairs, None]
    evaluator = inputs.evaluator
    response = evaluator.respond(evaluator.represent(inputs.situations(pairs)), np.log(price / reference))
    return score_columns(response, margin)
