"""The narrator measured: how many of its English texts pass the check, and how long they take.

Run `python -m eval.narrator --data-dir data`. Tables come from seeds that training never uses.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from agent.explain.check import check
from agent.explain.narration import narratable
from agent.explain.practice import random_table
from agent.explain.questions import Audience, Kind, Language
from agent.prepare import DataFolder
from models.narrator import Narrator, load_narrator
from models.registry import Kind as Model
from models.registry import Registry
from prompts import load_prompt


@dataclass(frozen=True, slots=True)
class NarratorScores:
    """Shares of texts, and seconds on a warm model."""

    texts: int
    passed: float
    first_sentence_p50_s: float
    whole_p50_s: float
    whole_p95_s: float
    problems: tuple[str, ...]


def measure(narrator: Narrator, seeds: Sequence[int]) -> NarratorScores:
    """Write one text a kind and seed, and check each; the first of each kind warms up and is not timed."""
    prompt = load_prompt("explanation", 1)
    passed, first, whole, problems = [], [], [], []
    for kind in Kind:
        for number, seed in enumerate(seeds):
            table = random_table(kind, seed)
            asked = narratable(table, prompt)
            if asked is None:
                continue
            start, text, sentence_s = perf_counter(), "", None
            for piece in narrator.write(asked.prompt, tuple(asked.values)):
                text += piece
                if sentence_s is None and text.rstrip().endswith("."):
                    sentence_s = perf_counter() - start
            if number:
                first.append(sentence_s or 0.0)
                whole.append(perf_counter() - start)
            report = check(asked.fill(text.strip()), table, Language.EN, Audience.MERCHANT)
            passed.append(report.passed)
            problems += [f"{kind}: {text.strip()}: {one}" for one in report.problems]
    p50, p95 = np.percentile(whole, (50, 95))
    return NarratorScores(
        len(passed), float(np.mean(passed)), float(np.median(first)), float(p50), float(p95), tuple(problems)
    )


def main() -> None:
    """Measure the active narrator and print the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    registry = Registry(DataFolder(given.data_dir).models)
    version = registry.active(Model.NARRATOR)
    narrator = load_narrator(registry.folder(Model.NARRATOR, version), version)
    scores = measure(narrator, range(given.seeds))
    sys.stdout.write(json.dumps(asdict(scores), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
