"""Elasticity of demand by product and category, with the range of prices that it was learned from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, EvaluatorInputs, Response
from models.training.own_rows import OwnRows, Rows

STEP: Final = 0.1
_SEED: Final = 17
_MOST_ROWS: Final = 2_000
_MOST_OF_EACH: Final = 10
_LEAST_ROWS: Final = 50
_BY: Final = ("product.category", "product")

Elasticity = tuple[float, float, float]
"""Value, low and high of a 90 % interval."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Demand of one product or category.

    Attributes:
        by: `product` or `product.category`.
        offers: Number of offers seen.
        elasticity: Of demand at the reference, with its 90 % interval.
        lowest, highest: Prices offered, over the reference price.
    """

    by: str
    name: str
    offers: int
    elasticity: Elasticity
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Elasticities:
    """Elasticity of all demand, and of the products and categories offered most."""

    total: Elasticity
    segments: tuple[Segment, ...]


def elasticities(
    evaluator: Evaluator, rows: OwnRows, some: Rows, situations: Callable[[Rows], EvaluatorInputs]
) -> Elasticities:
    """Estimate elasticities at the reference from at most 2,000 of some rows.

    They are those of a price list: every row's elasticity counts by its expected sales.
    """
    sample = np.random.default_rng(_SEED).choice(some, min(len(some), _MOST_ROWS), replace=False)
    weight = rows.data.weight[sample].astype(np.float64)
    response = evaluator.respond(
        evaluator.represent(situations(sample)), np.repeat([[-STEP, STEP]], len(sample), axis=0)
    )
    return Elasticities(
        total=_elasticity(response, weight, np.ones(len(sample), bool)),
        segments=tuple(_segments(rows, sample, response, weight)),
    )


def _segments(rows: OwnRows, sample: Rows, response: Response, weight: Floats) -> Iterator[Segment]:
    effects, ratio = rows.effects, rows.data.log_ratio
    for by in _BY:
        if by not in effects.groups:
            continue
        columns = np.flatnonzero(effects.group == effects.groups.index(by))
        values = effects.values.columns(columns).to_sparse().tocsc()
        counts = np.diff(values.indptr)
        for place in np.argsort(-counts, kind="stable")[:_MOST_OF_EACH].tolist():
            own = values.indices[values.indptr[place] : values.indptr[place + 1]]
            members: NDArray[np.bool_] = np.isin(sample, own)
            if members.sum() < _LEAST_ROWS or len(columns) < 2:
                continue
            yield Segment(
                by=by,
                name=effects.names[columns[place]].partition("=")[2],
                offers=int(counts[place]),
                elasticity=_elasticity(response, weight, members),
                lowest=float(np.exp(ratio[own].min())),
                highest=float(np.exp(ratio[own].max())),
            )


def _elasticity(response: Response, weight: Floats, members: NDArray[np.bool_]) -> Elasticity:
    mass = weight * members
    below, above = (float(mass @ response.purchase[:, step]) for step in (0, 1))
    drawn = [mass @ response.purchase_draws[:, step] for step in (0, 1)]
    low, high = np.percentile(np.log(drawn[0] / drawn[1]) / (2 * STEP), [5, 95])
    return float(np.log(below / above) / (2 * STEP)), float(low), float(high)
