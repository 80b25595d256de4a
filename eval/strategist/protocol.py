"""The strategist's protocol: what its proposals leave behind on held-out situations, and whether they follow reasons.

Situations are panel rows of the split's weeks whose household and product the strategist was never trained on, under
invented costs, rivals, stock and deadlines (`models.training.situations`). The active evaluator says what a price is
worth; regret is the gap to a dense search. Intervals resample households.
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
from models.evaluator.evaluator import Evaluator, load_evaluator
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
    """Regret in percent of the best worth; `within_half` is the share of situations at or below .5 %."""

    mean: Interval
    median: float
    p90: float
    within_half: float


@dataclass(frozen=True, slots=True)
class StrategistReport:
    """The protocol's figures.

    Attributes:
        regret: By `first`, `best_of_8`, `hold`, `random_8`, `heuristic_8`.
        valid_share: EvaluatorInputs all of whose strategies can be written there.
        distinct: Mean number of different strategies among eight.
        sensitivity: See `eval.strategist.checks`.
        ms_per_prompt: Median time of one prompt alone.
        kept: Share of the best worth that `first` and `best_of_8` keep, on blocks of situations, always the same ones.
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
    """The active strategist's figures on a split.

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
    """The evaluator in use."""
    version = registry.active(ModelKind.EVALUATOR)
    return load_evaluator(registry.folder(ModelKind.EVALUATOR, version) / "evaluator.safetensors", version)


def regret_table(measured: RegretMeasurement, household: Ints) -> dict[str, Regret]:
    """Regret of the strategist and of what needs none."""
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
    """The mean and its bootstrap interval over households (Efron & Tibshirani 1993, ch. 8)."""
    _, group = np.unique(household, return_inverse=True)
    total, count = np.bincount(group, weights=values), np.bincount(group)
    draws = np.random.default_rng(seed).multinomial(len(count), np.full(len(count), 1 / len(count)), size=_RESAMPLES)
    low, high = np.percentile((draws @ total) / (draws @ count), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def strategist_regressions(report: StrategistReport) -> list[str]:
    """What must never be lost and is."""
    found = []
    if report.valid_share < 1:
        found.append(f"{1 - report.valid_share:.2%} of situations got a strategy that cannot be written there")
    best, first, random = (report.regret[name].mean for name in ("best_of_8", "first", "random_8"))
    if best.low > BEST_OF_8_PCT:
        found.append(f"strategist's best of 8 leaves {best.value:.2f} %, allowed {BEST_OF_8_PCT} %")
    if first.value > random.value:
        found.append(f"strategist's first choice leaves {first.value:.2f} %, 8 random moves {random.value:.2f} %")
    return found


def _ms_per_prompt(strategist: Strategist, situations: Sequence[Situation], reading: Reading) -> float:
    spent = []
    for situation in situations[:_TIMED]:
        asked = request(situation, reading.render)
        began = time.perf_counter()
        strategist.propose([asked])
        spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent))
