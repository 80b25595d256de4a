"""Protocol A: purchase incidence on the demo store (train weeks 9-40, validation 41-44, test 45-52).

The rows are those of `models.training.panel`; this module adds all model inputs and caches the arrays under the data
folder, since computing them takes minutes. The data are simulated, so the results say nothing about real shoppers.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.training.demo import MemoryNeighbours
from models.evaluator.evaluator import EvaluatorInputs
from models.evaluator.evidence import EVIDENCE
from models.progress import Progress
from models.registry.registry import ModelKind, Registry, read_meta
from models.shopper.features import FEATURES
from models.training.demo import DemoTraining, evaluator_data
from models.training.demo_panel import read_panel
from models.training.evaluator import EvaluatorData
from models.training.item_affinity import TasteTrainingConfig
from models.training.panel import PanelConfig

Ints = NDArray[np.int64]
SPLITS: Final = {"train": (9, 40), "validation": (41, 44), "test": (45, 52)}
PANEL: Final = PanelConfig(last_week=52)
_ENCODER_FILES: Final = ("adapter.safetensors", "interest.safetensors", "taste.safetensors")
_PROTOCOL: Final = 3  # increase when a code change alters the rows of the same configuration


@dataclass(frozen=True, slots=True)
class Demand:
    """All rows; `week` and `stratum_a` are `(n,)`, `encoder` is the version that computed the states."""

    data: EvaluatorData
    week: Ints
    stratum_a: NDArray[np.bool_]
    encoder: str

    def rows(self, split: str) -> Ints:
        """Row numbers of a split."""
        first, last = SPLITS[split]
        return np.flatnonzero((self.week >= first) & (self.week <= last))

    def situations(self, rows: Ints) -> EvaluatorInputs:
        """Convert rows to the evaluator's input; trend and intent are 0, rival prices unknown."""
        data = self.data
        numeric = data.numeric[rows]
        ends = np.cumsum([len(FEATURES), len(EVIDENCE), 1])
        features, evidence, interest, affinity = np.split(numeric, ends, axis=1)
        zeros = np.zeros(len(rows), np.float32)
        return EvaluatorInputs(
            features=features,
            evidence=evidence,
            interest=interest[:, 0],
            affinity=affinity[:, 0],
            shopper=data.shopper_states[data.shopper_row[rows]],
            product=data.product_states[data.product_row[rows]],
            familiarity=zeros + 1,
            intent=zeros,
            trend=zeros,
            rival_log_ratio=zeros * np.nan,
            promotion=None if data.promotion is None else data.promotion[rows],
        )


def load_demand(registry: Registry, cache: Path, progress: Progress) -> Demand:
    """Load the rows from the cache, or compute them if it has none for the active encoder.

    Raises:
        RegistryError: No encoder is active.
        BaseWeightsError: The demo data package is missing.
    """
    version = registry.active(ModelKind.ENCODER)
    taste = TasteTrainingConfig()
    files = read_meta(registry.folder(ModelKind.ENCODER, version)).files
    digest = {name: files[name] for name in _ENCODER_FILES}
    key = json.dumps([_PROTOCOL, asdict(PANEL), asdict(taste), FEATURES, EVIDENCE, digest], sort_keys=True)
    folder = cache / f"demand-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not (folder / "complete").is_file():
        demo = read_panel(PANEL, taste, progress)
        inputs = DemoTraining(registry, demo, taste, progress).inputs(MemoryNeighbours)
        save_data(evaluator_data(inputs, PANEL), folder)
        np.save(folder / "week.npy", demo.panel.week)
        np.save(folder / "stratum_a.npy", demo.panel.stratum_a)
        (folder / "complete").touch()
    return Demand(load_data(folder), np.load(folder / "week.npy"), np.load(folder / "stratum_a.npy"), version)


def save_data(data: EvaluatorData, folder: Path) -> None:
    """Write each array that is not None to `<field>.npy`."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in fields(EvaluatorData):
        array = getattr(data, field.name)
        if array is not None:
            np.save(folder / f"{field.name}.npy", array)


def load_data(folder: Path) -> EvaluatorData:
    """Read arrays written by `save_data`; missing files become None."""
    paths = {field.name: folder / f"{field.name}.npy" for field in fields(EvaluatorData)}
    return EvaluatorData(**{name: np.load(path) for name, path in paths.items() if path.is_file()})
