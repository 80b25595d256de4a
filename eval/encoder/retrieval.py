"""Retrieval task: a shopper's words in English, Chinese, German or Spanish, and the demo products that they mean.

Candidates are the distinct texts of the most bought products, in English as the till labels are. A candidate is right
where its text matches the query's pattern.
"""

import csv
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.datasets.complete_journey import Journey
from models.shopper.texts import product_text

LANGUAGES: Final = ("en", "zh", "de", "es")
QUERIES: Final = Path(__file__).parent / "data" / "queries.tsv"
PRODUCTS: Final = 4_000
_DEPTH: Final = 10
_TIMED: Final = 40

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Query:
    """A wish in four languages, and the pattern of product texts that meet it."""

    split: str
    relevant: re.Pattern[str]
    words: dict[str, str]


@dataclass(frozen=True, slots=True)
class LanguageScore:
    """Share of queries whose best product is right, and mean reciprocal rank of the first right one within ten."""

    first: float
    reciprocal_rank: float


class Task(NamedTuple):
    """Candidate texts, queries, and which candidates are right for each query `(n_queries, n_products)`."""

    products: list[str]
    queries: list[Query]
    right: NDArray[np.bool_]


def read_queries(split: str) -> list[Query]:
    """Read the queries of a split; validation has other goods than test."""
    with QUERIES.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row["split"] == split]
    return [Query(split, re.compile(row["relevant"]), {name: row[name] for name in LANGUAGES}) for row in rows]


def build_task(journey: Journey, split: str) -> Task:
    """Take the most bought products as candidates."""
    bought = journey.receipts.groupby("product_id").size().sort_values(ascending=False, kind="stable")
    table = journey.products.set_index("product_id").loc[bought.index[:PRODUCTS]]
    texts = list(dict.fromkeys(product_text(row.title, row.category, row.brand) for row in table.itertuples()))
    queries = read_queries(split)
    right = np.asarray([[query.relevant.search(text) is not None for text in texts] for query in queries])
    return Task(texts, queries, right)


def retrieval_scores(task: Task, encode: Encode) -> dict[str, LanguageScore]:
    """Rank all candidates by cosine for each query, and score each language."""
    products = _units(encode(task.products))
    scores = {}
    for language in LANGUAGES:
        cosines = _units(encode([query.words[language] for query in task.queries])) @ products.T
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :_DEPTH]
        hits = np.take_along_axis(task.right, best, axis=1)
        ranks = np.where(hits.any(1), 1.0 / (1.0 + hits.argmax(1)), 0.0)
        scores[language] = LanguageScore(float(hits[:, 0].mean()), float(ranks.mean()))
    return scores


def milliseconds_each(task: Task, encode: Encode) -> float:
    """Median time of encoding one product text."""
    times = []
    for text in task.products[:_TIMED]:
        start = time.perf_counter()
        encode([text])
        times.append(time.perf_counter() - start)
    return 1_000 * float(np.median(times))


def _units(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
