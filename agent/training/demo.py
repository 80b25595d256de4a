"""Training on the demo data: joins the models' training with outcome memory and prompt, which models may not import."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.pricing.model_proposer import prompt_text
from models.evaluator.evidence import EVIDENCE, Neighbours, evidence_matrix
from models.progress import Progress
from models.registry.registry import ModelKind, ModelMeta, Registry
from models.training.demo import DemoTraining
from models.training.demo_panel import DemoPanel, read_panel
from models.training.encoder import EncoderTrainingConfig
from models.training.evaluator_net import DEMO_CONFIG, EvaluatorTrainingConfig
from models.training.item_affinity import TasteTrainingConfig
from models.training.panel import PanelConfig
from models.training.strategist import Reading
from models.training.strategist_config import StrategistTrainingConfig
from prompts import Prompt
from retrieval import MemoryRow, OutcomeMemory

NEIGHBOURS: Final = 32
_FAR_FUTURE_US: Final = 2**62


class MemoryNeighbours:
    """Outcome memory for the evaluator's training, filled in order of time so that it has past outcomes only."""

    def __init__(self, dim: int, base_rate: float) -> None:
        """Start empty, for keys `(n, dim)`; `base_rate` is the evidence without neighbours."""
        self._memory = OutcomeMemory(dim, "training", capacity=2_000_000)
        self._base_rate = base_rate

    def add(
        self,
        keys: NDArray[np.float32],
        bought: NDArray[np.float32],
        weight: NDArray[np.float32],
        ratio: NDArray[np.float32],
    ) -> None:
        """Add outcomes: keys `(n, dim)`, labels, weights and price ratios `(n,)`."""
        first = len(self._memory)
        rows = [
            MemoryRow(str(first + place), "", "", 0, price_ratio, label > 0, mass)
            for place, (label, mass, price_ratio) in enumerate(
                zip(bought.tolist(), weight.tolist(), ratio.tolist(), strict=True)
            )
        ]
        self._memory.add(rows, keys, 0)

    def evidence(self, keys: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evidence features `(n, len(EVIDENCE))` of keys, from the outcomes added so far."""
        found = np.zeros((len(keys), len(EVIDENCE)), np.float32)
        for start in range(0, len(keys), 4096):
            block = keys[start : start + 4096]
            hits = self._memory.alike(block, NEIGHBOURS, [_FAR_FUTURE_US] * len(block))
            alike = Neighbours(hits.bought, hits.weight, hits.similarity, hits.price_ratio, hits.count)
            found[start : start + len(block)] = evidence_matrix(alike, self._base_rate)
        return found


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Kinds to train in order, the version name, and the configuration of each kind."""

    kinds: tuple[ModelKind, ...]
    version: str
    encoder: EncoderTrainingConfig = field(default_factory=EncoderTrainingConfig)
    evaluator: EvaluatorTrainingConfig = DEMO_CONFIG
    strategist: StrategistTrainingConfig = field(default_factory=StrategistTrainingConfig)
    taste: TasteTrainingConfig = field(default_factory=TasteTrainingConfig)


def train(
    registry: Registry, plan: TrainingPlan, prompt: Prompt, progress: Progress, demo: DemoPanel | None = None
) -> list[ModelMeta]:
    """Train and activate kinds in order, as each is trained on those before it; returns their metadata.

    Raises:
        RegistryError: A kind that another is trained on has no active version.
    """
    training = DemoTraining(registry, demo or read_panel(PanelConfig(), plan.taste, progress), plan.taste, progress)
    made = []
    for kind in plan.kinds:
        with TemporaryDirectory() as folder:
            made.append(_STEPS[kind](training, plan, prompt, Path(folder)))
        registry.activate(kind, plan.version)
    return made


def reading(prompt: Prompt) -> Reading:
    """Convert training situations to the text that the strategist reads in service."""
    return Reading(prompt.label, lambda situation: prompt_text(prompt, situation.facts))


def _encoder(training: DemoTraining, plan: TrainingPlan, _prompt: Prompt, work: Path) -> ModelMeta:
    return training.encoder(plan.version, plan.encoder, work)


def _evaluator(training: DemoTraining, plan: TrainingPlan, _prompt: Prompt, work: Path) -> ModelMeta:
    return training.evaluator(plan.version, plan.evaluator, MemoryNeighbours, work)


def _strategist(training: DemoTraining, plan: TrainingPlan, prompt: Prompt, work: Path) -> ModelMeta:
    return training.strategist(plan.version, plan.strategist, reading(prompt), work)


_STEPS: Final = {ModelKind.ENCODER: _encoder, ModelKind.EVALUATOR: _evaluator, ModelKind.STRATEGIST: _strategist}
