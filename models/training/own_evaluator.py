"""Training of the evaluator on a merchant's own outcomes, from simple to complex.

1. A logit in log price with shrunk effects (`own_logit`), also of products of effects (`own_crossings`); its level is
   constant at first. Texts are read where they tell later outcomes better, or no worse (`own_texts`).
2. Controls for what prices followed (`own_controls`), where the rows ask for them: the slope is then the one of a price
   set on purpose, and the choices after it are made beside the controls, so that predicting such prices well counts for
   nothing.
3. The most that the prior standard deviations of effects may be (`own_shrinkage`); then the level may drift.
4. The share of the price response that counts below the prices tried (`TriedPrices.response`), and kinks between
   prices (`own_kinks`).
5. Boosted trees on what its level leaves (`own_trees`).
6. The logit is fitted again on training and validation rows.

Validation rows decide on drift, kinks and trees: the more complex option must be better by over one standard error. The
test rows, the latest, evaluate the result once; then `with_newest` fits the logit again on all rows. Fewer than
`LEAST_FOR_KINKS` training rows get the logit alone, fewer than `LEAST_FOR_TREES` no trees.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluator.binning import Binning
from models.evaluator.boosted_trees import DEPTH
from models.evaluator.evaluator import Evaluator
from models.evaluator.monotone import SLOPE_MIN, softplus
from models.evaluator.satisfaction import Satisfaction
from models.progress import Progress
from models.training.own_assembly import Parts, assemble
from models.training.own_controls import Controls, SlopeEvidence, controlled, intervened
from models.training.own_crossings import with_crossings
from models.training.own_effects import tried_prices, tried_ranges
from models.training.own_kink_choice import chosen_kinks, ramps_of
from models.training.own_kinks import NONE, Ramps
from models.training.own_logit import JOINT, PriceLogit, fit_logit
from models.training.own_prior_sds import ALL
from models.training.own_rows import OwnRows, Rows, Split
from models.training.own_shrinkage import chosen_shrinkage, limited
from models.training.own_table import EQUAL, SURELY_WORSE, OwnTable, gain_on, paired_gain, plainest_near_best
from models.training.own_texts import without_behaviour, without_descriptions
from models.training.own_trees import PRECISION, RATE, AddedTrees, added_trees, later_growth

RESPONSES: Final = (1.0, 0.75, 0.5, 0.25, 0.0)
LEAST_FOR_KINKS: Final = 1_400
LEAST_FOR_TREES: Final = 4_000
_LEAST_BELOW: Final = 100
"""Validation rows below the prices tried from which on these say how much of the response counts there."""
_TRIFLE: Final = 0.001
"""Share of the loss below which a gain by drift does not count."""
_MANY: Final = 8_000  # training rows from which on inputs have `_BINS` instead of `_FEW_BINS`
_FEW_BINS: Final = 2
_BINS: Final = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """Model selection on the validation rows.

    Attributes:
        kinks, trees: Number of ramps and of trees used.
        response: As in `TriedPrices`.
        behaviour: Whether behaviour texts are read.
        losses: Validation log loss by name of the candidate model.
    """

    kinks: int
    trees: int
    response: float
    behaviour: bool
    losses: dict[str, float]


@dataclass(frozen=True, slots=True)
class Trained:
    """Trained evaluator, the covariances of its last layers, hyperparameters and model selection."""

    evaluator: Evaluator
    covariances: tuple[Floats, Floats]
    config: dict[str, object]
    choice: Choice
    fit: "_Fit"
    evidence: SlopeEvidence = field(default_factory=SlopeEvidence)

    def with_satisfaction(self, known: Satisfaction | None) -> "Trained":
        """Copy that knows satisfaction from reports of sales; None leaves it at the prior."""
        weights = replace(self.evaluator.weights, satisfied=known)
        return replace(self, evaluator=Evaluator(weights, self.evaluator.version))

    @property
    def rows(self) -> OwnRows:
        """The rows with all effects of the model."""
        return self.fit.table.rows


@dataclass(frozen=True, slots=True)
class _Fit:
    """Selected models, in the form in which further rows are fitted; `growth` is as `later_growth` returns it."""

    table: OwnTable
    logit: PriceLogit
    ramps: Ramps
    added: AddedTrees
    response: float
    controls: Controls
    growth: float

    @property
    def reads_behaviour(self) -> bool:
        """Rows have states of behaviour texts."""
        return self.table.rows.interest_alone is not None

    def evaluator(self, rows: Rows, version: str) -> tuple[Evaluator, tuple[Floats, Floats]]:
        """Fit ramps and logit to rows with the selected trees; returns evaluator and covariances."""
        table, ramps, added = self.table, self.ramps, self.added.level
        controls = self.controls.again(table, rows, self.logit)
        table = table.but(controls=controls.columns)
        if len(ramps.heights):
            ramps = ramps_of(table, rows, self.logit, added) or ramps
        known, effects = table.of(rows, ramps, added), table.rows.effects
        logit = fit_logit(known, effects, self.logit)
        logit = replace(logit, base=logit.base - self.growth)
        logit = intervened(logit, controls, known, effects.names.index(ALL))
        slope = SLOPE_MIN + float(softplus(logit.terms(known)[1]).mean())
        tried = tried_prices(effects, rows, table.log_ratio[rows], self.response)
        parts = Parts(logit, ramps, self.added.trees)
        weights, covariances = assemble(table, rows, parts, tried, controls.doubt(table.rows.doubt, slope))
        return Evaluator(weights, version), covariances


def train_own(rows: OwnRows, split: Split, version: str, progress: Progress) -> Trained:
    """Train, select on the validation rows, and fit again on all rows before the test rows."""
    bins = _FEW_BINS if len(split.train) < _MANY else _BINS
    binning = Binning.fit(np.asarray(rows.data.numeric[split.train]), bins)
    table = OwnTable(rows, binning, _center(rows, split.train))
    progress("train: price logit", 0.0)
    logit, losses = _logit(table, split)
    for plainer in (without_descriptions, without_behaviour):
        if (plain := plainer(table, split, logit)) is not None:
            table, logit, read_losses = plain
            losses |= read_losses
    table, logit, controls = _controlled(table, split, logit)
    logit, most_sd, shrunk_losses = chosen_shrinkage(table, split, logit)
    logit, drift_losses = _drift(table, split, logit, most_sd)
    response, response_losses = _response(table, split, logit)
    judged, logit, crossed_losses = _crossings(_judged(table, split, response), split, logit, most_sd)
    losses |= shrunk_losses | drift_losses | response_losses | crossed_losses
    ramps, added = NONE, AddedTrees.none(len(rows.at_s))
    if len(split.train) >= LEAST_FOR_KINKS:
        ramps, kink_losses = chosen_kinks(judged, split, logit)
        losses |= kink_losses
        if len(ramps.heights):
            logit = fit_logit(judged.of(split.train, ramps=ramps), judged.rows.effects, logit)
    if len(split.train) >= LEAST_FOR_TREES:
        progress("train: boosted trees", 0.3)
        added, tree_losses = added_trees(judged, split, (logit, ramps), progress)
        losses |= tree_losses
    progress("train: refit on all rows before the test", 0.9)
    final = judged.but(log_ratio=table.log_ratio)
    growth = later_growth(judged, split.validation, (logit, ramps), added)
    fit = _Fit(final, logit, ramps, added, response, controls, growth)
    evaluator, covariances = fit.evaluator(split.known, version)
    progress("train: done", 1.0)
    choice = Choice(len(ramps.heights), len(added.trees), response, fit.reads_behaviour, losses)
    return Trained(evaluator, covariances, _config(bins), choice, fit, controls.evidence(split.known))


def _config(bins: int) -> dict[str, object]:
    """Hyperparameters that a training keeps with its result."""
    return {"bins": bins, "tree_rate": RATE, "tree_depth": DEPTH, "tree_precision": PRECISION}


def with_newest(trained: Trained, version: str) -> Trained:
    """Fit the selected model again on all rows, those included that evaluated it."""
    evaluator, covariances = trained.fit.evaluator(np.arange(len(trained.fit.table.rows.at_s)), version)
    return replace(trained, evaluator=evaluator, covariances=covariances)


def _center(rows: OwnRows, some: Rows) -> float:
    """Mean log ratio of some rows, as the evaluator's file keeps it."""
    return float(np.float32(np.average(rows.data.log_ratio[some], weights=rows.mass(some))))


def _logit(table: OwnTable, split: Split) -> tuple[PriceLogit, dict[str, float]]:
    """Fit the price logit, with a steady level, to the training rows."""
    train, validation = table.of(split.train), table.of(split.validation)
    logit = fit_logit(train, table.rows.effects, drifts=False)
    rate = np.full(len(validation.mass), np.average(train.bought, weights=train.mass))
    named = {"base rate": np.log(rate / (1 - rate)), "price logit": logit.logits(validation)}
    losses = {name: table.losses(split.validation, logits) for name, logits in named.items()}
    return logit, {name: float(np.average(loss, weights=validation.mass)) for name, loss in losses.items()}


def _drift(table: OwnTable, split: Split, logit: PriceLogit, most_sd: float) -> tuple[PriceLogit, dict[str, float]]:
    """Let the level drift where that is better on the validation rows by more than a trifle.

    A level that drifts is the one of the latest training rows, which are few.
    """
    again = fit_logit(table.of(split.train), table.rows.effects, drifts=True, sd=logit.sd)
    drifting = limited(table, split, again, most_sd)
    (gain, error), (before, after) = gain_on(split.validation, (table, logit), (table, drifting))
    chosen = drifting if gain > max(error, _TRIFLE * before) else logit
    return chosen, {"price logit that drifts": after}


def _controlled(table: OwnTable, split: Split, logit: PriceLogit) -> tuple[OwnTable, PriceLogit, Controls]:
    """Add the controls that the rows before the test rows ask for, and fit again.

    Controls that tell the validation rows surely worse are left out: prices followed something else by then.
    """
    effects = table.rows.effects

    def refit(columns: Floats) -> PriceLogit:
        return fit_logit(table.but(controls=columns).of(split.known), effects, drifts=logit.drifts, sd=logit.sd)

    controls = controlled(table, split.known, logit, refit)
    if not controls.any:
        return table, logit, controls
    wider = table.but(controls=controls.columns)
    fitted = fit_logit(wider.of(split.train), effects, drifts=logit.drifts)
    (gain, error), _ = gain_on(split.validation, (wider, fitted), (table, logit))
    if gain > SURELY_WORSE * error:
        return table, logit, controls.without()
    return wider, fitted, controls


def _response(table: OwnTable, split: Split, logit: PriceLogit) -> tuple[float, dict[str, float]]:
    """Select the share of the price response that counts below the prices tried.

    It is the least within a standard error of the best; the whole where hardly any later price lies there.
    """
    below = _judged(table, split, 0.0).log_ratio[split.validation] > table.log_ratio[split.validation] + EQUAL
    if int(below.sum()) < _LEAST_BELOW:
        return RESPONSES[0], {}
    mass = table.rows.mass(split.validation)
    losses = [
        table.losses(split.validation, logit.logits(_judged(table, split, share).of(split.validation)))
        for share in RESPONSES
    ]
    means = [float(np.average(loss, weights=mass)) for loss in losses]
    named = {
        f"below tried prices, {share:g} of the response": mean for share, mean in zip(RESPONSES, means, strict=True)
    }
    return RESPONSES[::-1][plainest_near_best(losses[::-1], mass)], named


def _judged(table: OwnTable, split: Split, response: float) -> OwnTable:
    """The table as a model fitted to the training rows sees it: with prices of others as it expects a response."""
    effects, log_ratio = table.rows.effects, table.log_ratio
    tried = tried_prices(effects, split.train, log_ratio[split.train], response)
    rows = np.setdiff1d(np.arange(len(log_ratio)), split.train)
    seen = log_ratio.copy()
    seen[rows] = tried.effective(log_ratio[rows, None], tried_ranges(tried, effects, rows))[:, 0]
    return table.but(log_ratio=seen)


def _crossings(
    table: OwnTable, split: Split, logit: PriceLogit, most_sd: float
) -> tuple[OwnTable, PriceLogit, dict[str, float]]:
    """Add products of effects where the training rows ask for them and they are better on the validation rows."""
    train, before = table.of(split.train), table.of(split.validation)
    effects = table.rows.effects
    room = JOINT - int((~effects.independent).sum())
    found = with_crossings(effects, split.train, logit.scores(train), room)
    if len(found.names) == len(effects.names):
        return table, logit, {}
    wider = table.but(rows=replace(table.rows, effects=found))
    again = limited(wider, split, fit_logit(wider.of(split.train), found, drifts=logit.drifts), most_sd)
    losses = [
        table.losses(split.validation, model.logits(rows))
        for model, rows in ((logit, before), (again, wider.of(split.validation)))
    ]
    gain, error = paired_gain(losses[0], losses[1], before.mass)
    named = {"with products of effects": float(np.average(losses[1], weights=before.mass))}
    return (wider, again, named) if gain > error else (table, logit, named)
