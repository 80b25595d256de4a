"""Protocol B's part of `pricesmith eval models`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from eval.models.run import BLOCKS, PRICESMITH, ModelsReport
from eval.next_basket.peers import Pricesmith, als, ease, ease_and_frequency, frequency, popularity, text_similarity
from eval.next_basket.protocol import NextBasket, freeze, ranking_scores, recalls
from models.arrays import Floats
from models.datasets.complete_journey import read_journey
from models.encoder.encoder import OpenVinoEncoder
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from models.shopper.item_affinity import load_taste
from models.shopper.ranking import load_ranking

FREEZE: Final = {"validation": (40, 44), "test": (44, 52)}


def evaluate_baskets(report: ModelsReport, registry: Registry, progress: Progress) -> ModelsReport:
    """The report with protocol B on the same split."""
    week, last = FREEZE[report.split]
    task = freeze(read_journey(), week, last)
    version = registry.active(ModelKind.ENCODER)
    folder = registry.folder(ModelKind.ENCODER, version)
    encoder = OpenVinoEncoder(folder, version, 2)
    own = Pricesmith(encoder, load_taste(folder / "taste.safetensors"), load_ranking(folder / "ranking.safetensors"))
    rankers: dict[str, Callable[[NextBasket], Floats]] = {
        PRICESMITH: own.scores,
        "popularity, 8 weeks": popularity,
        "personal frequency, decayed": frequency,
        "history text alone, fine-tuned": lambda t: text_similarity(t, encoder),
        "ALS (64)": als,
        "EASE (200)": ease,
        "EASE + 0.5 decayed": ease_and_frequency,
    }
    found = {}
    blocks = dict(report.blocks)
    for place, (name, ranker) in enumerate(rankers.items()):
        progress(f"next basket: {name}", place / len(rankers))
        scores = ranker(task)
        found[name] = ranking_scores(task, scores)
        if name == PRICESMITH:
            parts = np.array_split(recalls(task, scores), BLOCKS)
            blocks["next basket: recall"] = [float(part.mean()) for part in parts if len(part)]
    progress("next basket", 1.0)
    return replace(report, baskets=found, blocks=blocks)
