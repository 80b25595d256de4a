"""Report on an evaluator trained on a merchant's outcomes, compared with base rate, price logit and LightGBM."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, EvaluatorInputs
from models.training.identified_by import IdentifiedBy
from models.training.metrics import auc, log_loss
from models.training.own_evaluator import Trained
from models.training.own_peers import boosted, price_logit
from models.training.own_rows import OwnRows, Rows, Split
from models.training.own_satisfaction import NOTHING_REPORTED, SatisfactionReport
from models.training.own_segments import Elasticity, Segment, elasticities

SituationsOf = Callable[[OwnRows, Rows, Evaluator], EvaluatorInputs]

_BOOTSTRAPS: Final = 400
_BLOCK: Final = 16_384
_MAX_CLUSTERS: Final = 20_000
_SEED: Final = 17
_LEAST_RATE: Final = 1e-3
_FEW: Final = 2_000

PRICESMITH: Final = "Pricesmith"
BASE_RATE: Final = "base rate"
LOGIT: Final = "logit in log price"
BOOSTED: Final = "LightGBM, monotone in price"


@dataclass(frozen=True, slots=True)
class Line:
    """Metrics of one model on the test rows.

    Attributes:
        rig: Relative information gain over the test rows' purchase rate.
        mean_over_rate: Mean prediction over the purchase rate.
        low, high: 95 % interval of its log loss minus Pricesmith's, clustered by shopper; above 0 Pricesmith is better.
    """

    name: str
    log_loss: float
    rig: float
    auc: float
    mean_over_rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OwnReport:
    """Results of a training on own outcomes.

    Attributes:
        rows: Number of rows per split.
        elasticity: Of demand at the reference, with its 90 % posterior interval.
        segments: The same of the products and categories offered most.
        notes: Remarks for the reader, beginning with models that are better.
        identified_by: Source of the knowledge of the price response.
        satisfaction: Knowledge of satisfaction.
        priors: Names of what is a stated prior, as no outcome told anything of it.
    """

    rows: dict[str, int]
    lines: tuple[Line, ...]
    elasticity: Elasticity
    notes: tuple[str, ...]
    segments: tuple[Segment, ...] = ()
    identified_by: IdentifiedBy = IdentifiedBy.IMPORTED_INPUTS
    satisfaction: SatisfactionReport = NOTHING_REPORTED
    priors: tuple[str, ...] = ()

    @property
    def proven_better(self) -> bool:
        """Whether its log loss on the test rows is surely lower than every other model's: by the 95 % intervals."""
        return all(line.low > 0 for line in self.lines[1:])

    def with_satisfaction(self, found: SatisfactionReport, priors: tuple[str, ...]) -> "OwnReport":
        """Copy with what is known of satisfaction, and of what else is a prior."""
        return replace(self, satisfaction=found, priors=priors)

    def with_note(self, note: str) -> "OwnReport":
        """Copy with one more note."""
        return replace(self, notes=(*self.notes, note))


def report(rows: OwnRows, split: Split, trained: Trained, situations_of: SituationsOf) -> OwnReport:
    """Evaluate every model once on the test rows; all were fitted on earlier rows.

    Peers see the effects of `rows`; Pricesmith's own rows have products of these too.
    """
    test, data, evaluator = split.test, rows.data, trained.evaluator
    situations = partial(_situations, trained.rows, evaluator, situations_of)
    label, weight = data.bought[test].astype(np.float64), data.weight[test].astype(np.float64)
    rate = float(np.average(data.bought[split.known], weights=data.weight[split.known]))
    found: dict[str, Floats] = {PRICESMITH: predict(evaluator, rows, test, situations)}
    found[BASE_RATE] = np.full(len(test), rate)
    found[LOGIT] = price_logit(rows, split.known, test)
    notes = [_chosen(trained)]
    trees = boosted(rows, split)
    if trees is None:
        notes.append("LightGBM was not compared, as it is not installed; remedy: pip install lightgbm")
    else:
        found[BOOSTED] = trees
    own = losses(label, found[PRICESMITH])
    lines = tuple(_line(name, (label, weight, data.cluster[test]), p, own) for name, p in found.items())
    of_demand = elasticities(evaluator, trained.rows, test, situations)
    notes = [*_verdicts(lines), *_few(len(rows.at_s), of_demand.total), *notes]
    return OwnReport(
        rows={"train": len(split.train), "validation": len(split.validation), "test": len(test)},
        lines=lines,
        elasticity=of_demand.total,
        notes=tuple(notes),
        segments=of_demand.segments,
    )


def _situations(rows: OwnRows, evaluator: Evaluator, situations_of: SituationsOf, some: Rows) -> EvaluatorInputs:
    return situations_of(rows, some, evaluator)


def _chosen(trained: Trained) -> str:
    choice = trained.choice
    parts = ["a price logit with shrunk effects"]
    if choice.kinks:
        parts.append(f"{choice.kinks} kinks between prices")
    if choice.response < 1:
        parts.append(f"{choice.response:.0%} of the price response below the prices tried")
    if choice.trees:
        parts.append(f"{choice.trees} boosted trees")
    if choice.behaviour:
        parts.append("what shoppers' behaviour texts tell")
    return f"later outcomes chose {', '.join(parts)}"


def _few(count: int, found: Elasticity) -> list[str]:
    """Say how little few outcomes tell."""
    if count >= _FEW:
        return []
    _, low, high = found
    return [
        f"{count:,} outcomes tell little: the elasticity lies between {low:.1f} and {high:.1f} for all that is known, "
        "and the model stays near a common price response; remedy: import or collect more outcomes"
    ]


def _verdicts(lines: tuple[Line, ...]) -> list[str]:
    own = lines[0]
    worse = [
        f"{one.name} is {'significantly ' if one.high < 0 else ''}better on the test rows (log loss {one.log_loss:.5f} "
        f"against {own.log_loss:.5f}); remedy: import more outcomes, or vary prices more"
        for one in lines[1:]
        if one.log_loss < own.log_loss
    ]
    if not 0.9 <= own.mean_over_rate <= 1.1:
        worse.append(
            f"mean prediction is {own.mean_over_rate:.2f} of the purchase rate: demand changed after the training rows"
        )
    return worse


def _line(name: str, truth: tuple[Floats, Floats, NDArray[np.int64]], p: Floats, own: Floats) -> Line:
    label, weight, cluster = truth
    rate = float(np.average(label, weights=weight))
    loss = log_loss(label, p, weight)
    low, high = paired_interval((losses(label, p) - own) * weight, weight, cluster)
    mean = float(np.average(p, weights=weight))
    if not 0 < rate < 1:  # few rows, of one kind: there is nothing to tell apart
        return Line(name, loss, 0.0, 0.5, mean / max(rate, _LEAST_RATE), low, high)
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    return Line(name, loss, 1 - loss / entropy, auc(label, p, weight), mean / rate, low, high)


def losses(label: Floats, p: Floats) -> Floats:
    """Compute the log loss of each row, `(n,)`."""
    clipped = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(-(label * np.log(clipped) + (1 - label) * np.log(1 - clipped)))


def paired_interval(values: Floats, weight: Floats, cluster: NDArray[np.int64]) -> tuple[float, float]:
    """Percentile interval of a weighted mean by the cluster bootstrap with Poisson weights."""
    _, group = np.unique(cluster, return_inverse=True)
    group = group % _MAX_CLUSTERS
    total, mass = np.bincount(group, values), np.bincount(group, weight)
    draws = np.random.default_rng(_SEED).poisson(1.0, (_BOOTSTRAPS, len(total))).astype(np.float64)
    low, high = np.percentile((draws @ total) / np.maximum(1e-12, draws @ mass), [2.5, 97.5])
    return float(low), float(high)


def predict(evaluator: Evaluator, rows: OwnRows, some: Rows, situations: Callable[[Rows], EvaluatorInputs]) -> Floats:
    """Predict purchase probabilities of the given rows at the prices shown."""
    price = rows.data.log_ratio.astype(np.float64)
    parts = [
        evaluator.expect(evaluator.represent(situations(block)), price[block][:, None]).purchase[:, 0]
        for block in np.array_split(some, 1 + len(some) // _BLOCK)
    ]
    return np.concatenate(parts)
