"""Demand part (protocol A) and report of `pricesmith eval models`: Pricesmith compared with other models.

All models are fitted on the training weeks; the report names the split that is scored. Pricesmith's line in the table
is the active version; learning curve and ablations train evaluators for the purpose.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from agent.pricing.effect_terms import EVERYWHERE, Trait, terms_of
from eval.demand.metrics import STEP, DemandScores, Difference, Predictions, demand_scores, paired_difference
from eval.demand.peers import PEERS, TUNED, Inputs, Peer, boosted, logistic, predict_peer
from eval.demand.protocol import Demand, Ints, load_demand
from eval.demand.satisfaction import SatisfactionScores, satisfaction_scores
from eval.next_basket.protocol import RankingScores
from eval.strategist.protocol import StrategistReport, strategist_regressions
from models.arrays import Floats
from models.evaluator.evaluator import NUMERIC, Evaluator
from models.evaluator.evaluator_file import load_evaluator
from models.evaluator.evidence import EVIDENCE
from models.evaluator.online_effects import OnlineEffects, Shift
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from models.shopper.features import FEATURES, SHARES, SHOPPER, SHOPPER_CATEGORY, SHOPPER_PRODUCT
from models.training.evaluator import EvaluatorData, fit, to_weights
from models.training.evaluator_net import DEMO_CONFIG, config_for
from models.training.evaluator_posterior import posterior

PRICESMITH: Final = "Pricesmith"
UNKNOWN: Final = "Pricesmith, promotions not known"
SAME_INPUTS: Final = "LightGBM on Pricesmith's inputs"
NO_PROMOTIONS: Final = "LightGBM on the same without promotions"
MAX_RESIDUAL_SLOPE: Final = 0.05
CURVE: Final = (2_000, 20_000)
BLOCKS: Final = 40
_BLOCK: Final = 16_384
_HISTORY: Final = len(SHOPPER_PRODUCT + SHOPPER_CATEGORY + SHARES + SHOPPER)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weighted mean prediction and purchase rate in bins of equal predicted purchases."""

    predicted: list[float]
    observed: list[float]


@dataclass(frozen=True, slots=True)
class DemandLine:
    """Metrics of a model; `against` is its log loss minus Pricesmith's, positive if Pricesmith is better."""

    name: str
    scores: DemandScores
    against: Difference | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Log loss of each model after training on `rows` rows."""

    rows: int
    log_loss: dict[str, float]


@dataclass(frozen=True, slots=True)
class ModelsReport:
    """Results of all protocols.

    Attributes:
        coverage_90: Share of product groups whose purchases lie in their 90 % predictive interval.
        satisfaction: Of the shipped head on sales; None where no window is over.
        blocks: Pricesmith's main metrics by block of households, to be paired with those of a baseline.
    """

    split: str
    versions: dict[str, str]
    demand: list[DemandLine]
    calibration: dict[str, Calibration]
    response: dict[str, list[float]]
    coverage_90: float
    curve: list[CurvePoint] = field(default_factory=list)
    ablations: dict[str, DemandScores] = field(default_factory=dict)
    baskets: dict[str, RankingScores] = field(default_factory=dict)
    blocks: dict[str, list[float]] = field(default_factory=dict)
    strategist: StrategistReport | None = None
    satisfaction: SatisfactionScores | None = None


def evaluate_demand(registry: Registry, cache: Path, split: str, progress: Progress, *, full: bool) -> ModelsReport:
    """Evaluate protocol A on a split; `full` adds learning curve and ablations, which train evaluators.

    Raises:
        RegistryError: Encoder or evaluator is not active, or the evaluator was trained on another encoder.
    """
    demand = load_demand(registry, cache, progress)
    version = registry.active(ModelKind.EVALUATOR)
    evaluator = load_evaluator(registry.folder(ModelKind.EVALUATOR, version) / "evaluator.safetensors", version)
    rows, train = demand.rows(split), demand.rows("train")
    predictions = {PRICESMITH: predict(evaluator, demand, rows)}
    if evaluator.weights.promotion is not None:
        predictions[UNKNOWN] = predict(evaluator, without_promotions(demand), rows)
    tuned = boosted(monotone=True, settings=TUNED)
    peers = (
        *PEERS,
        Peer(NO_PROMOTIONS, Inputs(columns=NUMERIC, promotion=False), tuned),
        Peer(SAME_INPUTS, Inputs(columns=NUMERIC), tuned),
    )
    for number, peer in enumerate(peers):
        progress(f"peer: {peer.name}", number / len(peers))
        predictions[peer.name] = predict_peer(peer, demand, train, rows)
    own = predictions[PRICESMITH].offered
    report = ModelsReport(
        split=split,
        versions={"encoder": demand.encoder, "evaluator": version},
        demand=[
            DemandLine(
                name,
                demand_scores(demand, rows, predicted),
                None if name == PRICESMITH else paired_difference(demand, rows, predicted.offered, own),
            )
            for name, predicted in predictions.items()
        ],
        calibration={name: _calibration(demand, rows, predictions[name].offered) for name in (PRICESMITH, "LightGBM")},
        response=_response(evaluator, demand, rows),
        coverage_90=_coverage(evaluator, demand, rows),
        blocks={"demand: information gain": block_gains(demand, rows, own)},
        satisfaction=satisfaction_scores(evaluator, demand, rows),
    )
    if not full:
        return report
    return replace(report, curve=learning_curve(demand, rows, progress), ablations=ablations(demand, rows, progress))


def without_promotions(demand: Demand) -> Demand:
    """Remove the promotions: most requests know nothing of them."""
    return replace(demand, data=replace(demand.data, promotion=None))


def predict(evaluator: Evaluator, demand: Demand, rows: Ints) -> Predictions:
    """Compute the evaluator's posterior mean probabilities."""
    price = demand.data.log_ratio[rows].astype(np.float64)[:, None] + np.asarray([[0.0, -STEP, STEP]])
    parts = [
        evaluator.expect(evaluator.represent(demand.situations(rows[block])), price[block]).purchase
        for block in np.array_split(np.arange(len(rows)), 1 + len(rows) // _BLOCK)
    ]
    return Predictions(*np.concatenate(parts).T)


def train_evaluator(demand: Demand, rows: Ints, data: EvaluatorData | None = None) -> Evaluator:
    """Train an evaluator on some rows, of a size that suits their number, without installing it."""
    data = data or demand.data
    config = DEMO_CONFIG if len(rows) > max(CURVE) else config_for(len(rows))
    net = fit(data, rows, config)
    covariances = posterior(net, data, rows, config)
    rate = float(np.average(data.bought[rows], weights=data.weight[rows]))
    return Evaluator(to_weights(net, covariances, np.zeros((data.product_states.shape[1], 1)), rate), "trial")


def learning_curve(demand: Demand, rows: Ints, progress: Progress) -> list[CurvePoint]:
    """Compute the log loss after 2,000, 20,000 and all training rows, with the same rows for all models."""
    train = demand.rows("train")
    rng = np.random.default_rng(17)
    peers = (
        Peer("logit in log price", Inputs(), logistic),
        Peer("LightGBM, monotone", Inputs(), boosted(monotone=True)),
        Peer(SAME_INPUTS, Inputs(columns=NUMERIC), boosted(monotone=True, settings=TUNED)),
    )
    points = []
    for number, size in enumerate((*CURVE, len(train))):
        progress("learning curve", number / 3)
        chosen = train if size == len(train) else np.sort(rng.choice(train, size, replace=False))
        predictions = {PRICESMITH: predict(train_evaluator(demand, chosen), demand, rows)}
        predictions |= {peer.name: predict_peer(peer, demand, chosen, rows) for peer in peers}
        log_loss = {name: demand_scores(demand, rows, predicted).log_loss for name, predicted in predictions.items()}
        points.append(CurvePoint(size, log_loss))
    progress("learning curve", 1.0)
    return points


def ablations(demand: Demand, rows: Ints, progress: Progress) -> dict[str, DemandScores]:
    """Score evaluators that were trained without one group of inputs."""
    data, train = demand.data, demand.rows("train")
    evidence = slice(len(FEATURES), len(FEATURES) + len(EVIDENCE))
    no_states = replace(
        _zeroed(data, slice(NUMERIC - 2, NUMERIC - 1)),
        shopper_states=np.zeros_like(data.shopper_states),
        product_states=np.zeros_like(data.product_states),
        stranger=np.zeros_like(data.stranger),
    )
    trials = {
        "whole, trained anew": data,
        "without transformer states": no_states,
        "without item states": _zeroed(data, slice(NUMERIC - 1, NUMERIC)),
        "without retrieval": _zeroed(data, evidence),
        "without history": _zeroed(data, slice(0, _HISTORY), slice(NUMERIC - 2, NUMERIC)),
        "without promotions": replace(data, promotion=None),
    }
    scores = {}
    for number, (name, part) in enumerate(trials.items()):
        progress(f"ablation: {name}", number / len(trials))
        trial = replace(demand, data=part)
        scores[name] = demand_scores(trial, rows, predict(train_evaluator(trial, train), trial, rows))
    return scores


def _zeroed(data: EvaluatorData, *columns: slice) -> EvaluatorData:
    """Set some numeric inputs to zero."""
    numeric = data.numeric.copy()
    for part in columns:
        numeric[:, part] = 0.0
    return replace(data, numeric=numeric)


def _calibration(demand: Demand, rows: Ints, probability: Floats, bins: int = 20) -> Calibration:
    weight = demand.data.weight[rows].astype(np.float64)
    order = np.argsort(probability, kind="stable")
    mass = np.cumsum(weight[order] * probability[order])
    edges = np.searchsorted(mass, np.linspace(0, mass[-1], bins + 1)[1:-1])
    groups = [group for group in np.split(order, edges) if len(group)]
    label = demand.data.bought[rows]
    return Calibration(
        predicted=[float(np.average(probability[g], weights=weight[g])) for g in groups],
        observed=[float(np.average(label[g], weights=weight[g])) for g in groups],
    )


def _response(evaluator: Evaluator, demand: Demand, rows: Ints) -> dict[str, list[float]]:
    """Compute the mean purchase probability by price ratio, and the quartiles of each row's probability relative to 1.

    "Relative to 1" means divided by the row's probability at the reference price (ratio 1).
    """
    sample = np.random.default_rng(17).choice(rows, min(4000, len(rows)), replace=False)
    grid = np.linspace(0.6, 1.2, 25)
    prices = np.repeat(np.log(grid)[None], len(sample), axis=0)
    purchase = evaluator.expect(evaluator.represent(demand.situations(sample)), prices).purchase
    relative = purchase / purchase[:, [int(np.argmin(np.abs(grid - 1)))]]
    weight = demand.data.weight[sample]
    low, middle, high = np.percentile(relative, [25, 50, 75], axis=0)
    return {
        "price_ratio": grid.tolist(),
        "mean": np.average(purchase, axis=0, weights=weight).tolist(),
        "relative_low": low.tolist(),
        "relative": middle.tolist(),
        "relative_high": high.tolist(),
    }


def _coverage(evaluator: Evaluator, demand: Demand, rows: Ints, groups: int = 200) -> float:
    """Compute the share of product groups whose purchase count lies in its 90 % predictive interval (nominally 0.9).

    Products are randomly assigned to groups; the interval of a group combines posterior draws of the probabilities
    with Bernoulli noise of its sampled rows.
    """
    rng = np.random.default_rng(17)
    names, product = np.unique(demand.data.product_row[rows], return_inverse=True)
    group = rng.permutation(len(names))[product] % groups
    counts: list[Floats] = []
    for block in np.array_split(np.arange(len(rows)), 1 + len(rows) // 4096):
        price = demand.data.log_ratio[rows[block]].astype(np.float64)[:, None]
        situations = replace(demand.situations(rows[block]), shift=_product_effects(demand, rows[block]))
        draws = evaluator.respond(evaluator.represent(situations), price).purchase_draws[:, 0]  # (n, draws)
        odds = draws / (1 - draws) / demand.data.rate[rows[block], None]  # given case-control sampling
        sampled = odds / (1 + odds)
        noise = (rng.random(sampled.shape) < sampled).astype(np.float64)
        counts.append(_sum_by(group[block], noise, groups))
    low, high = np.percentile(np.sum(counts, axis=0), [5, 95], axis=1)
    observed = np.bincount(group, weights=demand.data.bought[rows], minlength=groups)
    return float(((observed >= low) & (observed <= high)).mean())


def _product_effects(demand: Demand, rows: Ints) -> Shift:
    """Draw product effects from their prior, to allow for drift since training as quotes do."""
    names, inverse = np.unique(demand.data.product_row[rows], return_inverse=True)
    terms = [terms_of([EVERYWHERE, Trait("product", str(name))], in_domain=True) for name in names.tolist()]
    shift = OnlineEffects().shift(terms, unseen=False)
    return Shift(shift.level[inverse], shift.slope[inverse], shift.level_draws[inverse], shift.slope_draws[inverse])


def block_gains(demand: Demand, rows: Ints, probability: Floats) -> list[float]:
    """Compute the relative information gain over the base rate in each of `BLOCKS` blocks of households."""
    label, weight = demand.data.bought[rows].astype(np.float64), demand.data.weight[rows].astype(np.float64)
    rate = float(np.average(label, weights=weight))

    def losses(p: Floats) -> Floats:
        return np.asarray(-weight * (label * np.log(p) + (1 - label) * np.log(1 - p)), np.float64)

    block = block_of(demand.data.cluster[rows])
    model = np.bincount(block, losses(np.clip(probability, 1e-9, 1 - 1e-9)), BLOCKS)
    base = np.bincount(block, losses(np.full(len(rows), rate)), BLOCKS)
    return [float(1 - of_model / of_rate) for of_model, of_rate in zip(model, base, strict=True) if of_rate > 0]


def block_of(household: Ints) -> Ints:
    """Hash each household number to one of `BLOCKS` blocks."""
    hashed = (household.astype(np.uint64) * np.uint64(2_654_435_761)) >> np.uint64(16)
    return np.asarray(hashed % np.uint64(BLOCKS), np.int64)


def _sum_by(group: Ints, values: Floats, groups: int) -> Floats:
    total = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, values)
    return total


def regressions(report: ModelsReport) -> list[str]:
    """Describe goals that the report does not meet."""
    lines = {line.name: line for line in report.demand}
    own = lines[PRICESMITH].scores
    unmet = []
    if own.wrong_sign_share > 0:
        unmet.append(f"purchase probability rises with the price in {own.wrong_sign_share:.2%} of rows, allowed 0")
    for name, line in lines.items():
        if name.startswith("LightGBM") and name != SAME_INPUTS and own.log_loss > line.scores.log_loss:
            unmet.append(f"log loss {own.log_loss:.5f} is above {name}'s {line.scores.log_loss:.5f}")
    if not 0.95 <= own.mean_over_rate <= 1.05:
        unmet.append(f"mean prediction is {own.mean_over_rate:.3f} of the purchase rate, allowed 0.95 to 1.05")
    if abs(own.residual_slope) > MAX_RESIDUAL_SLOPE:
        unmet.append(f"residual price slope is {own.residual_slope:+.3f}, allowed -0.05 to 0.05")
    return unmet + (strategist_regressions(report.strategist) if report.strategist else [])
