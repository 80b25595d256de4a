"""Inputs of the evaluator for each panel row, computed from earlier weeks only."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.evaluator.evaluator import EvaluatorInputs
from models.evaluator.evidence import EVIDENCE, memory_keys
from models.progress import Progress
from models.shopper.features import PAIR_FEATURES, SHOPPER_PRODUCT
from models.shopper.interest import InterestHead, conditional_state
from models.training.demo_panel import DemoPanel, States
from models.training.item_affinity import TasteTrainingConfig, walk_forward

Matrix = NDArray[np.float32]
Ints = NDArray[np.int64]

MEMORY_KEEP: Final = 0.1  # share of the panel's negatives in the outcome memory, as in the demo store's
_MEMORY_BLOCK_WEEKS: Final = 2
_BLOCK: Final = 50_000


class OutcomeNeighbours(Protocol):
    """Outcome memory, as training uses it."""

    def evidence(self, keys: Matrix) -> Matrix:
        """Compute evidence features `(n, len(EVIDENCE))` of keys from the outcomes added so far."""
        ...

    def add(self, keys: Matrix, bought: Matrix, weight: Matrix, ratio: Matrix) -> None:
        """Add outcomes; `weight` is the inverse sampling rate, `ratio` the price over the reference."""
        ...


NewMemory = Callable[[int, float], OutcomeNeighbours]


@dataclass(frozen=True, slots=True)
class DemoInputs:
    """Panel and encoder states with evidence, interest logit and log affinity of each panel row."""

    demo: DemoPanel
    states: States
    evidence: Matrix
    interest: Matrix
    affinity: Matrix

    def situations(self, rows: Ints) -> EvaluatorInputs:
        """Build situations of panel rows, which have no session, competitor price or market trend."""
        panel = self.demo.panel
        zeros = np.zeros(len(rows), np.float32)
        return EvaluatorInputs(
            features=panel.features[rows],
            evidence=self.evidence[rows],
            interest=self.interest[rows],
            affinity=self.affinity[rows],
            shopper=self.states.shopper[panel.state[rows]],
            product=self.states.product[self.states.product_row[rows]],
            familiarity=zeros + 1,
            intent=zeros,
            trend=zeros,
            rival_log_ratio=zeros * np.nan,
            promotion=self.demo.promotion[rows],
        )

    def without_evidence(self) -> "DemoInputs":
        """Copy with zero evidence, as when nothing is retrieved."""
        return replace(self, evidence=np.zeros_like(self.evidence))

    def numeric(self) -> Matrix:
        """Numeric inputs of all rows, `(n, NUMERIC)`, as `models.evaluator.evaluator.numeric_inputs`."""
        ends = np.stack([self.interest, self.affinity], axis=1)
        return np.concatenate([self.demo.panel.features, self.evidence, ends], axis=1, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class InputMakers:
    """Models and settings that the inputs are computed with; without `new_memory` the evidence is zero."""

    interest: InterestHead
    taste: TasteTrainingConfig
    projection: NDArray[np.float64]
    new_memory: NewMemory | None
    base_rate: float


def join_inputs(demo: DemoPanel, states: States, makers: InputMakers, progress: Progress) -> DemoInputs:
    """Compute affinity, evidence and interest of all panel rows, week by week."""
    panel = demo.panel
    last = int(panel.week.max())
    affinity = walk_forward(
        demo.purchases,
        (np.asarray([demo.household_row[int(h)] for h in panel.household]), states.product_row, panel.week),
        makers.taste,
        lambda week: progress("affinity", week / last),
    )
    evidence = np.zeros((len(panel.week), len(EVIDENCE)), np.float32)
    if makers.new_memory is not None:
        evidence = _evidence(demo, states, makers, progress)
    return DemoInputs(demo, states, evidence, _interest(demo, states, makers.interest), affinity)


def _interest(demo: DemoPanel, states: States, head: InterestHead) -> Matrix:
    panel = demo.panel
    pair = panel.features[:, len(SHOPPER_PRODUCT) : len(SHOPPER_PRODUCT) + len(PAIR_FEATURES)]
    found = [
        head.logits(conditional_state(states.shopper[panel.state[b]], states.category[states.category_row[b]], pair[b]))
        for b in np.array_split(np.arange(len(panel.bought)), 1 + len(panel.bought) // _BLOCK)
    ]
    return np.concatenate(found)


def _evidence(demo: DemoPanel, states: States, makers: InputMakers, progress: Progress) -> Matrix:
    """Retrieve evidence in blocks of weeks, from the outcomes before each block."""
    panel = demo.panel
    if makers.new_memory is None:
        raise AssertionError("evidence needs an outcome memory")
    memory: OutcomeNeighbours | None = None
    found = np.zeros((len(panel.week), len(EVIDENCE)), np.float32)
    blocks = panel.week // _MEMORY_BLOCK_WEEKS
    kept = (panel.bought > 0) | (np.random.default_rng(17).random(len(panel.week)) < MEMORY_KEEP)
    weight = np.where(panel.bought > 0, panel.weight, panel.weight / np.float32(MEMORY_KEEP)).astype(np.float32)
    names = np.unique(blocks)
    for number, block in enumerate(names):
        rows = np.flatnonzero(blocks == block)
        items, products = states.items[panel.state[rows]], states.product[states.product_row[rows]]
        keys = memory_keys(items, products, makers.projection)
        if memory is None:
            memory = makers.new_memory(keys.shape[1], makers.base_rate)
        else:
            found[rows] = memory.evidence(keys)
        added = kept[rows]
        known = rows[added]
        memory.add(keys[added], panel.bought[known], weight[known], np.exp(panel.log_ratio[known]))
        progress("evidence", (number + 1) / len(names))
    return found
