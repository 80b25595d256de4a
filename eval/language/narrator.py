"""Measure the narrator: share of English texts that pass the check, and time per text.

Run `python -m eval.language.narrator --data-dir data`. Fact tables come from seeds that training does not use.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from time import perf_counter

import numpy as np

from agent.explain.check import check
from agent.explain.facts import FactTable
from agent.explain.questions import Audience, Language, QuestionKind
from agent.explain.writers import NarratorWriter
from agent.store.data_folder import DataFolder
from agent.training.synthetic_facts import random_table
from models.language.narrator import Narrator, load_narrator
from models.registry.registry import ModelKind, Registry
from prompts import load_prompt


@dataclass(frozen=True, slots=True)
class NarratorScores:
    """Share of texts that passed, and seconds per text on a warm model."""

    texts: int
    passed: float
    first_sentence_p50_s: float
    whole_p50_s: float
    whole_p95_s: float
    problems: tuple[str, ...]


def measure(narrator: Narrator, seeds: Sequence[int]) -> NarratorScores:
    """Write and check one text per kind and seed; the first of each kind is warm-up and is not timed."""
    writer = NarratorWriter(lambda: narrator, load_prompt("explanation", 1), Lock())
    passed, first, whole, problems = [], [], [], []
    for kind in QuestionKind:
        for number, seed in enumerate(seeds):
            table = random_table(kind, seed)
            draft = writer.write(table, Language.EN, partial(_passes, table))
            if draft is None:
                continue
            start, sentences, times = perf_counter(), [], []
            for sentence in draft:
                sentences.append(sentence)
                times.append(perf_counter() - start)
            if number:
                first += times[:1]
                whole.append(perf_counter() - start)
            text = " ".join(sentences)
            report = check(text, table, Language.EN, Audience.MERCHANT)
            passed.append(bool(sentences) and report.passed)
            problems += [f"{kind}: {text}: {one}" for one in report.problems or ([] if sentences else ["empty text"])]
    p50, p95 = np.percentile(whole, (50, 95))
    return NarratorScores(
        len(passed), float(np.mean(passed)), float(np.median(first)), float(p50), float(p95), tuple(problems)
    )


def _passes(table: FactTable, text: str) -> bool:
    return check(text, table, Language.EN, Audience.MERCHANT).passed


def main() -> None:
    """Measure the active narrator and print the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    registry = Registry(DataFolder(options.data_dir).models)
    version = registry.active(ModelKind.NARRATOR)
    narrator = load_narrator(registry.folder(ModelKind.NARRATOR, version), version)
    scores = measure(narrator, range(options.seeds))
    sys.stdout.write(json.dumps(asdict(scores), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
