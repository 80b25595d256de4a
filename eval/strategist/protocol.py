"""Evaluation protocol of the strategist: regret, validity and sensitivity on held-out situations.

Situations are panel rows in the weeks of a split whose household and product were held out from training, under random
costs, competitors, stock and deadlines (`models.training.situations`). The utility of a price comes from the active
evaluator; regret is relative to a dense grid search. Intervals are over households.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from agent.state.loading import load_active_strategist
from agent.training.demo import reading
from eval.demand.protocol import Ints, load_demand
from eval.strategist.checks import Check, sensitivity
from eval.strategist.held_out import held_out_rows
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator
from models.evaluator.evaluator_file import load_evaluator
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from models.strategist.strategist import Strategist
from models.training.regret import RegretMeasurement, measure, request
from models.training.situations import Situation
from models.training.strategist import Reading
from prompts import Prompt

_RESAMPLES: Final = 2000
_TIMED: Final = 60
_BLOCKS: Final = 40
BEST_OF_8_PCT: Final = 0.2


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Regret:
    """Regret in percent of the best utility; `within_half` is the share of situations with at most 0.5 %."""

    mean: Interval
    median: float
    p90: float
    within_half: float


@dataclass(frozen=True, slots=True)
class StrategistReport:
    """Results of the protocol.

    Attributes:
        regret: By `first`, `best_of_8`, `hold`, `random_8`, `heuristic_8`.
        valid_share: Share of situations all of whose strategies are valid.
        distinct: Mean number of different strategies among eight.
        sensitivity: See `eval.strategist.checks`.
        ms_per_prompt: Median time of one prompt in milliseconds, without batching.
        kept: Share of the best utility reached by `first` and `best_of_8`, by block of situations.
    """

    version: str
    situations: int
    regret: dict[str, Regret]
    valid_share: float
    distinct: float
    sensitivity: dict[str, Check]
    ms_per_prompt: float
    kept: dict[str, list[float]] = field(default_factory=dict)


def evaluate_strategist(
    registry: Registry, cache: Path, split: str, prompt: Prompt, progress: Progress
) -> StrategistReport:
    """Evaluate the active strategist on a split.

    Raises:
        RegistryError: A version is not active, or the strategist was trained on another prompt.
    """
    progress("strategist: situations", 0.0)
    strategist = load_active_strategist(registry, prompt)
    unseen = held_out_rows(load_demand(registry, cache, progress), active_evaluator(registry), split)
    progress("strategist: regret", 0.3)
    measured = measure(strategist, unseen.situations(), reading(prompt).render)
    progress("strategist: sensitivity", 0.6)
    report = StrategistReport(
        version=strategist.version,
        situations=len(unseen.rows),
        regret=regret_table(measured, unseen.demand.data.cluster[unseen.rows]),
        valid_share=float(measured.valid.mean()),
        distinct=float(measured.distinct.mean()),
        sensitivity=sensitivity(strategist, unseen, measured, reading(prompt).render),
        ms_per_prompt=_ms_per_prompt(strategist, measured.situations, reading(prompt)),
        kept={
            name: [float(1 - part.mean() / 100) for part in np.array_split(measured.regret_pct[name], _BLOCKS)]
            for name in ("first", "best_of_8")
        },
    )
    progress("strategist", 1.0)
    return report


def active_evaluator(registry: Registry) -> Evaluator:
    """Load the active evaluator."""
    version = registry.active(ModelKind.EVALUATOR)
    return load_evaluator(registry.folder(ModelKind.EVALUATOR, version) / "evaluator.safetensors", version)


def regret_table(measured: RegretMeasurement, household: Ints) -> dict[str, Regret]:
    """Summarise the regret of the strategist and of the baselines without a model."""
    return {
        name: Regret(
            mean=mean_interval(values, household),
            median=float(np.median(values)),
            p90=float(np.percentile(values, 90)),
            within_half=float((values <= 0.5).mean()),
        )
        for name, values in measured.regret_pct.items()
    }


def mean_interval(values: Floats, household: Ints, seed: int = 17) -> Interval:
    """Compute the mean and its bootstrap interval over households (Efron & Tibshirani 1993, ch. 8)."""
    _, group = np.unique(household, return_inverse=True)
    total, count = np.bincount(group, weights=values), np.bincount(group)
    draws = np.random.default_rng(seed).multinomial(len(count), np.full(len(count), 1 / len(count)), size=_RESAMPLES)
    low, high = np.percentile((draws @ total) / (draws @ count), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def strategist_regressions(report: StrategistReport) -> list[str]:
    """Describe goals that the report does not meet."""
    unmet = []
    if report.valid_share < 1:
        unmet.append(f"{1 - report.valid_share:.2%} of situations got an invalid strategy, allowed 0")
    best, first, random = (report.regret[name].mean for name in ("best_of_8", "first", "random_8"))
    if best.low > BEST_OF_8_PCT:
        unmet.append(f"regret of the strategist's best of 8 is {best.value:.2f} %, allowed {BEST_OF_8_PCT} %")
    if first.value > random.value:
        unmet.append(
            f"regret of the strategist's first choice is {first.value:.2f} %, of 8 random moves {random.value:.2f} %"
        )
    return unmet


def _ms_per_prompt(strategist: Strategist, situations: Sequence[Situation], reading: Reading) -> float:
    times = []
    for situation in situations[:_TIMED]:
        proposal_request = request(situation, reading.render)
        began = time.perf_counter()
        strategist.propose([proposal_request])
        times.append(1000 * (time.perf_counter() - began))
    return float(np.median(times))
