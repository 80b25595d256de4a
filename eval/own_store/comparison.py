"""Evaluators trained on the outcomes of generated shops with known demand, compared with simpler models.

All models are fitted on the same outcomes and columns, and scored on later outcomes. Intervals of differences are over
seeds. Seeds 0 to 99 are for tuning; reports start at `FIRST_SEED`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from agent.cli.output import print_facts, print_table
from agent.training.own_rows import situations_of
from eval.own_store.confounded import CONFOUNDED
from eval.own_store.shops import SHOPS, Encode, SimulatedOutcomes, simulate_outcomes
from eval.own_store.titled import TITLED
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, EvaluatorInputs
from models.evaluator.monotone import sigmoid
from models.progress import Progress
from models.training.identification import identification
from models.training.own_checks import OfferLog
from models.training.own_evaluator import train_own
from models.training.own_peers import boosted, price_logit
from models.training.own_report import losses, predict
from models.training.own_rows import OwnRows, Rows, Split
from models.training.own_segments import STEP, elasticities

ALL_SHOPS: Final = SHOPS | CONFOUNDED | TITLED
FIRST_SEED: Final = 100
SIZES: Final = (2_000, 20_000, 200_000)
LATER: Final = 10_000
LOGIT: Final = "logit in log price"
BOOSTED: Final = "LightGBM, monotone"
_TRAIN: Final = 0.7 / 0.85
_ELASTICITY_ROWS: Final = 2_000
_T95: Final = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # Student's, 1 to 9 degrees of freedom


@dataclass(frozen=True, slots=True)
class Trial:
    """Results of one shop, size and seed.

    Attributes:
        over: Log loss minus that of the true demand, by model. `over_new`: of products never sold in training alone,
            None where there are none.
        gain: Log loss minus Pricesmith's, by peer.
        error: Standard error of `gain` over the later outcomes.
        elasticity: Of demand at the reference price, with its 90 % interval.
        chosen: Number of kinks, and of trees.
    """

    shop: str
    size: int
    seed: int
    over: dict[str, float]
    over_new: float | None
    gain: dict[str, float]
    error: dict[str, float]
    mean_over_rate: float
    elasticity: tuple[float, float, float]
    true_elasticity: float
    chosen: tuple[int, int]

    @property
    def covered(self) -> bool:
        """Whether the interval contains the true elasticity."""
        return self.elasticity[1] <= self.true_elasticity <= self.elasticity[2]


@dataclass(frozen=True, slots=True)
class Line:
    """Means over the seeds of one shop and size.

    Attributes:
        over, over_new: Means of those of the trials.
        gain: Mean gain over each peer with its 95 % interval; positive if Pricesmith is better.
        covered: Number of seeds whose interval contains the true elasticity.
        bias: Median over the seeds of estimated over true elasticity, less 1.
        error: Median of its absolute value.
    """

    shop: str
    size: int
    seeds: int
    over: float
    over_new: float | None
    gain: dict[str, tuple[float, float, float]]
    covered: int
    bias: float
    error: float

    @property
    def lost_to(self) -> list[str]:
        """Peers that are significantly better."""
        return [peer for peer, (_, _, high) in self.gain.items() if high < 0]


@dataclass(frozen=True, slots=True)
class OwnDataReport:
    """All trials, and means by shop and size."""

    trials: list[Trial]
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class OwnDataSuite:
    """Shops, sizes and seeds to run."""

    shops: tuple[str, ...] = tuple(ALL_SHOPS)
    sizes: tuple[int, ...] = SIZES
    seeds: int = 3
    first_seed: int = FIRST_SEED
    encode: Encode | None = None


def run_own_data(suite: OwnDataSuite, progress: Progress) -> OwnDataReport:
    """Run a trial for every shop, size and seed."""
    trials = []
    plan = [(size, shop, seed) for size in suite.sizes for shop in suite.shops for seed in range(suite.seeds)]
    for done, (size, shop, seed) in enumerate(plan):
        progress(f"own data: {size} outcomes; {shop}; seed {suite.first_seed + seed}", done / len(plan))
        trials.append(run_trial(shop, size, suite.first_seed + seed, suite.encode))
    progress("own data: done", 1.0)
    groups = dict.fromkeys((trial.shop, trial.size) for trial in trials)
    return OwnDataReport(trials, [_line([t for t in trials if (t.shop, t.size) == group]) for group in groups])


def run_trial(shop: str, size: int, seed: int, encode: Encode | None = None) -> Trial:
    """Train on `size` outcomes of a shop and score on later ones; `encode` reads titles, where a shop has them."""
    simulated = simulate_outcomes(ALL_SHOPS[shop], seed, size, LATER, encode)
    rows, cut = _doubted(shop, simulated.rows, size), round(size * _TRAIN)
    split = Split(np.arange(cut), np.arange(cut, size), np.arange(size, len(rows.at_s)))
    trained = train_own(rows, split, "trial", _no_progress)
    evaluator, test = trained.evaluator, split.test
    label, weight = rows.data.bought[test].astype(np.float64), rows.data.weight[test].astype(np.float64)
    situations = partial(_situations, trained.rows, evaluator)
    own = predict(evaluator, rows, test, situations)
    truth = _truth(simulated, rows.data.log_ratio.astype(np.float64))[test]
    predictions = {"Pricesmith": own, LOGIT: price_logit(rows, split.known, test)}
    trees = boosted(rows, split)
    if trees is not None:
        predictions[BOOSTED] = trees
    log_loss = {name: losses(label, p) for name, p in predictions.items()}
    true_loss = losses(label, truth)
    gains = {name: log_loss[name] - log_loss["Pricesmith"] for name in predictions if name != "Pricesmith"}
    sample = np.random.default_rng(seed).choice(test, min(len(test), _ELASTICITY_ROWS), replace=False)
    sampled_weight = rows.data.weight[sample].astype(np.float64)
    return Trial(
        shop=shop,
        size=size,
        seed=seed,
        over={name: float(np.average(loss - true_loss, weights=weight)) for name, loss in log_loss.items()},
        over_new=_over_new(simulated, test, log_loss["Pricesmith"] - true_loss),
        gain={name: float(np.average(gain, weights=weight)) for name, gain in gains.items()},
        error={name: _error(gain, weight) for name, gain in gains.items()},
        mean_over_rate=float(np.average(own, weights=weight) / np.average(label, weights=weight)),
        elasticity=elasticities(evaluator, trained.rows, sample, situations).total,
        true_elasticity=_true_elasticity(simulated, sample, sampled_weight),
        chosen=(trained.choice.kinks, trained.choice.trees),
    )


def _doubted(shop: str, rows: OwnRows, size: int) -> OwnRows:
    """The rows with the doubt that their known part leaves, where prices were not all drawn at random."""
    if shop not in CONFOUNDED or rows.origins is None:
        return rows
    known, data = slice(0, size), rows.data
    offers = OfferLog(np.zeros(size, np.int64), rows.at_s[known], data.log_ratio[known], data.bought[known])
    return replace(rows, doubt=identification(offers, rows.origins.propensity[known].astype(np.float32)).doubt)


def _situations(rows: OwnRows, evaluator: Evaluator, some: Rows) -> EvaluatorInputs:
    return situations_of(rows, some, evaluator)


def _over_new(simulated: SimulatedOutcomes, test: Rows, excess: Floats) -> float | None:
    return None if simulated.new is None else float(excess[simulated.new[test]].mean())


def _truth(simulated: SimulatedOutcomes, log_ratio: Floats) -> Floats:
    return sigmoid(simulated.logit(log_ratio))


def _true_elasticity(simulated: SimulatedOutcomes, some: Rows, weight: Floats) -> float:
    below, above = (_truth(simulated, np.full(len(simulated.rows.at_s), step))[some] for step in (-STEP, STEP))
    return float(np.log((weight @ below) / (weight @ above)) / (2 * STEP))


def _error(values: Floats, weight: Floats) -> float:
    mean = np.average(values, weights=weight)
    return float(np.sqrt((weight**2 * (values - mean) ** 2).sum()) / weight.sum())


def _line(trials: Sequence[Trial]) -> Line:
    first = trials[0]
    off = np.asarray([trial.elasticity[0] / trial.true_elasticity - 1 for trial in trials])
    return Line(
        shop=first.shop,
        size=first.size,
        seeds=len(trials),
        over=float(np.mean([trial.over["Pricesmith"] for trial in trials])),
        over_new=None if first.over_new is None else float(np.mean([trial.over_new for trial in trials])),
        gain={peer: _interval(trials, peer) for peer in first.gain},
        covered=sum(trial.covered for trial in trials),
        bias=float(np.median(off)),
        error=float(np.median(np.abs(off))),
    )


def _interval(trials: Sequence[Trial], peer: str) -> tuple[float, float, float]:
    """Compute the mean over seeds with its 95 % interval: Student's t, no narrower than the sampling error allows."""
    gains = np.asarray([trial.gain[peer] for trial in trials])
    count = len(gains)
    noise = 1.96 * float(np.sqrt(np.mean([trial.error[peer] ** 2 for trial in trials]) / count))
    if count > 1:
        factor = _T95[min(count - 2, len(_T95) - 1)]
        noise = max(noise, factor * float(gains.std(ddof=1)) / np.sqrt(count))
    mean = float(gains.mean())
    return mean, mean - noise, mean + noise


def regressions(report: OwnDataReport) -> list[str]:
    """Describe simpler models that are significantly better on the same outcomes."""
    return [
        f"{line.shop}, {line.size:,} outcomes: {peer} is better by {-line.gain[peer][0]:.5f}"
        for line in report.lines
        for peer in line.lost_to
    ]


def print_report(report: OwnDataReport) -> None:
    """Print one table per size."""
    for size in dict.fromkeys(line.size for line in report.lines):
        lines = [line for line in report.lines if line.size == size]
        peers = list(lines[0].gain)
        rows = [
            [
                line.shop,
                f"{line.over:.5f}",
                "" if line.over_new is None else f"{line.over_new:.5f}",
                *("{:+.5f} ({:+.5f} to {:+.5f})".format(*line.gain[peer]) for peer in peers),
                f"{line.covered} of {line.seeds}",
                f"{line.bias:+.1%} ({line.error:.1%})",
            ]
            for line in lines
        ]
        columns = (
            "shop",
            "over truth",
            "new products",
            *(f"{peer} less ours" for peer in peers),
            "covered",
            "elasticity bias, median (absolute)",
        )
        print_table(f"{size:,} outcomes: log loss on {LATER:,} later outcomes", columns, rows)
    covered = sum(line.covered for line in report.lines)
    trials = sum(line.seeds for line in report.lines)
    print_facts({"note": "Generated shops.", "elasticity in its 90 % interval": f"{covered} of {trials}"})


def _no_progress(_what: str, _share: float) -> None:
    """Ignore progress within a trial."""
