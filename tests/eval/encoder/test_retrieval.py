"""Retrieval task of encoders: scores worked out by hand, queries that can be met, splits that share no goods."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.encoder.retrieval import LANGUAGES, Query, Task, build_task, read_queries, retrieval_scores
from eval.encoder.run import evaluate
from models.datasets.complete_journey import read_journey
from models.errors import BaseWeightsError

WORDS = {"tea": (1.0, 0.0), "green tea": (0.9, 0.1), "cup": (0.0, 1.0), "茶": (0.2, 0.9), "Tee": (-1.0, 0.0)}


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.asarray([WORDS[text] for text in texts], np.float32)


def test_ranks_follow_cosines_by_language() -> None:
    query = Query("validation", re.compile("tea"), {"en": "tea", "zh": "茶", "de": "Tee", "es": "cup"})
    task = Task(["cup", "green tea"], [query], np.asarray([[False, True]]))
    scores = retrieval_scores(task, encode)
    assert {name: scores[name].first for name in LANGUAGES} == {"en": 1.0, "zh": 0.0, "de": 0.0, "es": 0.0}
    assert [scores[name].reciprocal_rank for name in LANGUAGES] == [1.0, 0.5, 0.5, 0.5]


def test_every_query_has_a_product_and_no_good_is_in_both_splits() -> None:
    journey = read_journey()
    for split in ("validation", "test"):
        assert build_task(journey, split).right.any(axis=1).all()
    chosen, kept = ({query.relevant.pattern for query in read_queries(split)} for split in ("validation", "test"))
    assert not chosen & kept


def test_a_base_that_is_named_but_not_there_is_an_error_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(BaseWeightsError, match="PRICESMITH_ENCODER"):
        evaluate(tmp_path, "validation", [str(tmp_path / "nowhere")], 1, lambda stage, done: None)
