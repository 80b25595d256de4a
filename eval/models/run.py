"""`pricesmith eval models`: protocols A and B and the strategist's, Pricesmith beside its peers, in one run.

Everything is fitted on training weeks; the split that is scored is named in the report. The learning curve and the
ablations train evaluators anew; the first line of the table is the active version as it serves.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from agent.pricing.effect_terms import EVERYWHERE, Trait, terms_of
from eval.demand.metrics import STEP, DemandScores, Difference, Predictions, demand_scores, paired_difference
from eval.demand.peers import PEERS, Inputs, Peer, boosted, logistic, predict_peer
from eval.demand.protocol import Demand, Ints, load_demand
from eval.next_basket.protocol import RankingScores
from eval.strategist.protocol import StrategistReport, strategist_regressions
from models.arrays import Floats
from models.evaluator.evaluator import EVIDENCE, NUMERIC, Evaluator, load_evaluator
from models.evaluator.online_effects import OnlineEffects, Shift
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from models.shopper.features import FEATURES, SHARES, SHOPPER, SHOPPER_CATEGORY, SHOPPER_PRODUCT
from models.training.evaluator import EvaluatorData, config_for, fit, to_weights
from models.training.evaluator_posterior import posterior

PRICESMITH: Final = "Pricesmith"
SAME_INPUTS: Final = "LightGBM on Pricesmith's inputs"
CURVE: Final = (2_000, 20_000)
BLOCKS: Final = 40
_BLOCK: Final = 16_384
_HISTORY: Final = len(SHOPPER_PRODUCT + SHOPPER_CATEGORY + SHARES + SHOPPER)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weighted mean prediction and purchase rate in twenty bins of equal mass."""

    predicted: list[float]
    observed: list[float]


@dataclass(frozen=True, slots=True)
class DemandLine:
    """A model's figures; `against` is its log loss less Pricesmith's, above 0 where Pricesmith is better."""

    name: str
    scores: DemandScores
    against: Difference | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Log losses after so many training rows."""

    rows: int
    log_loss: dict[str, float]


@dataclass(frozen=True, slots=True)
class ModelsReport:
    """Everything that the table, the JSON and the page show.

    Attributes:
        blocks: Pricesmith's main figures on blocks of households, always the same ones: what a baseline is paired with.
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


def evaluate_demand(registry: Registry, cache: Path, split: str, progress: Progress, *, full: bool) -> ModelsReport:
    """Protocol A on a split; `full` adds learning curve and ablations, which train anew.

    Raises:
        RegistryError: Encoder or evaluator is not active, or the evaluator was trained on another encoder.
    """
    demand = load_demand(registry, cache, progress)
    version = registry.active(ModelKind.EVALUATOR)
    evaluator = load_evaluator(registry.folder(ModelKind.EVALUATOR, version) / "evaluator.safetensors", version)
    rows, train = demand.rows(split), demand.rows("train")
    found = {PRICESMITH: predict(evaluator, demand, rows)}
    peers = (*PEERS, Peer(SAME_INPUTS, Inputs(columns=NUMERIC), boosted(monotone=True)))
    for place, peer in enumerate(peers):
        progress(f"peer: {peer.name}", place / len(peers))
        found[peer.name] = predict_peer(peer, demand, train, rows)
    own = found[PRICESMITH].offered
    report = ModelsReport(
        split=split,
        versions={"encoder": demand.encoder, "evaluator": version},
        demand=[
            DemandLine(
                name,
                demand_scores(demand, rows, predicted),
                None if name == PRICESMITH else paired_difference(demand, rows, predicted.offered, own),
            )
            for name, predicted in found.items()
        ],
        calibration={name: _calibration(demand, rows, found[name].offered) for name in (PRICESMITH, "LightGBM")},
        response=_response(evaluator, demand, rows),
        coverage_90=_coverage(evaluator, demand, rows),
        blocks={"demand: information gain": block_gains(demand, rows, own)},
    )
    if not full:
        return report
    return replace(report, curve=learning_curve(demand, rows, progress), ablations=ablations(demand, rows, progress))


def predict(evaluator: Evaluator, demand: Demand, rows: Ints) -> Predictions:
    """The evaluator's mean probabilities."""
    price = demand.data.log_ratio[rows].astype(np.float64)[:, None] + np.asarray([[0.0, -STEP, STEP]])
    parts = [
        evaluator.expect(demand.situations(rows[block]), price[block]).purchase
        for block in np.array_split(np.arange(len(rows)), 1 + len(rows) // _BLOCK)
    ]
    return Predictions(*np.concatenate(parts).T)


def train_evaluator(demand: Demand, rows: Ints, data: EvaluatorData | None = None) -> Evaluator:
    """An evaluator trained on some rows, sized to their number; nothing is installed."""
    data = data or demand.data
    config = config_for(len(rows))
    net = fit(data, rows, config)
    covariances = posterior(net, data, rows, config)
    rate = float(np.average(data.bought[rows], weights=data.weight[rows]))
    return Evaluator(to_weights(net, covariances, np.zeros((data.product_states.shape[1], 1)), rate), "trial")


def learning_curve(demand: Demand, rows: Ints, progress: Progress) -> list[CurvePoint]:
    """Log loss after 2,000, 20,000 and all training rows, the same rows for everyone."""
    train = demand.rows("train")
    rng = np.random.default_rng(17)
    peers = (
        Peer("logit in log price", Inputs(), logistic),
        Peer("LightGBM, monotone", Inputs(), boosted(monotone=True)),
        Peer(SAME_INPUTS, Inputs(columns=NUMERIC), boosted(monotone=True)),
    )
    points = []
    for place, size in enumerate((*CURVE, len(train))):
        progress("learning curve", place / 3)
        chosen = train if size == len(train) else np.sort(rng.choice(train, size, replace=False))
        found = {PRICESMITH: predict(train_evaluator(demand, chosen), demand, rows)}
        found |= {peer.name: predict_peer(peer, demand, chosen, rows) for peer in peers}
        points.append(CurvePoint(size, {name: demand_scores(demand, rows, p).log_loss for name, p in found.items()}))
    progress("learning curve", 1.0)
    return points


def ablations(demand: Demand, rows: Ints, progress: Progress) -> dict[str, DemandScores]:
    """Evaluators trained without one part of their inputs."""
    data, train = demand.data, demand.rows("train")
    evidence = slice(len(FEATURES), len(FEATURES) + len(EVIDENCE))
    texts = replace(
        _silenced(data, slice(NUMERIC - 2, NUMERIC - 1)),
        shopper_states=np.zeros_like(data.shopper_states),
        product_states=np.zeros_like(data.product_states),
        stranger=np.zeros_like(data.stranger),
    )
    trials = {
        "whole, trained anew": data,
        "without transformer states": texts,
        "without item states": _silenced(data, slice(NUMERIC - 1, NUMERIC)),
        "without retrieval": _silenced(data, evidence),
        "without history": _silenced(data, slice(0, _HISTORY), slice(NUMERIC - 2, NUMERIC)),
    }
    found = {}
    for place, (name, part) in enumerate(trials.items()):
        progress(f"ablation: {name}", place / len(trials))
        trial = replace(demand, data=part)
        found[name] = demand_scores(trial, rows, predict(train_evaluator(trial, train), trial, rows))
    return found


def _silenced(data: EvaluatorData, *columns: slice) -> EvaluatorData:
    """The same rows with some numeric inputs held at zero."""
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
    """Mean purchase probability by price ratio, with the middle half of the rows' ratios to their own at 1."""
    sample = np.random.default_rng(17).choice(rows, min(4000, len(rows)), replace=False)
    grid = np.linspace(0.6, 1.2, 25)
    prices = np.repeat(np.log(grid)[None], len(sample), axis=0)
    purchase = evaluator.expect(demand.situations(sample), prices).purchase
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
    """Share of product groups whose purchase count lies in the 90 % predictive interval.

    Products are dealt into groups; a group's interval joins the posterior draws of its expected count with the
    binomial noise of its sampled rows. Nominal coverage is 0.9.
    """
    rng = np.random.default_rng(17)
    names, product = np.unique(demand.data.product_row[rows], return_inverse=True)
    group = rng.permutation(len(names))[product] % groups
    counts: list[Floats] = []
    for block in np.array_split(np.arange(len(rows)), 1 + len(rows) // 4096):
        price = demand.data.log_ratio[rows[block]].astype(np.float64)[:, None]
        situations = replace(demand.situations(rows[block]), shift=_product_effects(demand, rows[block]))
        draws = evaluator.respond(situations, price).purchase_draws[:, 0]  # (n, draws)
        odds = draws / (1 - draws) / demand.data.rate[rows[block], None]  # in the sampled rows
        sampled = odds / (1 + odds)
        noise = (rng.random(sampled.shape) < sampled).astype(np.float64)
        counts.append(_sum_by(group[block], noise, groups))
    low, high = np.percentile(np.sum(counts, axis=0), [5, 95], axis=1)
    observed = np.bincount(group, weights=demand.data.bought[rows], minlength=groups)
    return float(((observed >= low) & (observed <= high)).mean())


def _product_effects(demand: Demand, rows: Ints) -> Shift:
    """The drift that every product may have had since the training, as quotes join it."""
    names, inverse = np.unique(demand.data.product_row[rows], return_inverse=True)
    terms = [terms_of([EVERYWHERE, Trait("product", str(name))], in_domain=True) for name in names.tolist()]
    each = OnlineEffects().shift(terms, unseen=False)
    return Shift(each.level[inverse], each.slope[inverse], each.level_draws[inverse], each.slope_draws[inverse])


def block_gains(demand: Demand, rows: Ints, probability: Floats) -> list[float]:
    """Share of the base rate's log loss that the probabilities save, on `BLOCKS` blocks of households."""
    label, weight = demand.data.bought[rows].astype(np.float64), demand.data.weight[rows].astype(np.float64)
    rate = float(np.average(label, weights=weight))

    def losses(chance: Floats) -> Floats:
        return np.asarray(-weight * (label * np.log(chance) + (1 - label) * np.log(1 - chance)), np.float64)

    block = block_of(demand.data.cluster[rows])
    spent = np.bincount(block, losses(np.clip(probability, 1e-9, 1 - 1e-9)), BLOCKS)
    base = np.bincount(block, losses(np.full(len(rows), rate)), BLOCKS)
    return [float(1 - own / of_rate) for own, of_rate in zip(spent, base, strict=True) if of_rate > 0]


def block_of(household: Ints) -> Ints:
    """Which of `BLOCKS` blocks each household belongs to, by its number alone."""
    scattered = (household.astype(np.uint64) * np.uint64(2_654_435_761)) >> np.uint64(16)
    return np.asarray(scattered % np.uint64(BLOCKS), np.int64)


def _sum_by(group: Ints, values: Floats, groups: int) -> Floats:
    total = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, values)
    return total


def regressions(report: ModelsReport) -> list[str]:
    """What must never be lost and is."""
    lines = {line.name: line for line in report.demand}
    own = lines[PRICESMITH].scores
    found = []
    if own.wrong_sign_share > 0:
        found.append(f"{own.wrong_sign_share:.2%} of rows buy more at a higher price")
    for name, line in lines.items():
        if name.startswith("LightGBM") and name != SAME_INPUTS and own.log_loss > line.scores.log_loss:
            found.append(f"log loss {own.log_loss:.5f} is above {name}'s {line.scores.log_loss:.5f}")
    if not 0.95 <= own.mean_over_rate <= 1.05:
        found.append(f"mean prediction is {own.mean_over_rate:.3f} of the purchase rate, allowed 0.95-1.05")
    return found + (strategist_regressions(report.strategist) if report.strategist else [])
