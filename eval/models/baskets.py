"""Next-basket part (protocol B) of `pricesmith eval models`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from eval.models.run import BLOCKS, PRICESMITH, ModelsReport
from eval.next_basket.peers import Pricesmith, als, ease, ease_and_frequency, frequency, popularity, text_similarity
from eval.next_basket.protocol import NextBasket, build_task, ranking_scores, recalls
from models.arrays import Floats
from models.datasets.complete_journey import read_journey
from models.encoder.encoder import OpenVinoEncoder
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from models.shopper.item_affinity import load_taste
from models.shopper.ranking import load_ranking

WEEKS: Final = {"validation": (40, 44), "test": (44, 52)}  # last week of the history, last week of the targets


def evaluate_baskets(report: ModelsReport, registry: Registry, progress: Progress) -> ModelsReport:
    """Add the results of protocol B on the same split to a report."""
    week, last = WEEKS[report.split]
    task = build_task(read_journey(), week, last)
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
    baskets = {}
    blocks = dict(report.blocks)
    for number, (name, ranker) in enumerate(rankers.items()):
        progress(f"next basket: {name}", number / len(rankers))
        scores = ranker(task)
        baskets[name] = ranking_scores(task, scores)
        if name == PRICESMITH:
            parts = np.array_split(recalls(task, scores), BLOCKS)
            blocks["next basket: recall"] = [float(part.mean()) for part in parts if len(part)]
    progress("next basket", 1.0)
    return replace(report, baskets=baskets, blocks=blocks)
