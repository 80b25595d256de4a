import numpy as np
import pytest

from agent.training.demo import MemoryNeighbours
from models.evaluator.evidence import EVIDENCE


def keys(n: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, 16)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_evidence_in_training_comes_from_every_outcome_that_was_added() -> None:
    memory = MemoryNeighbours(16, 0.1)
    ones = np.ones(60, np.float32)
    assert not memory.evidence(keys(5)).any()
    memory.add(keys(60), ones, ones, 0.8 * ones)
    memory.add(keys(60, seed=1), 0 * ones, ones, ones)
    found = dict(zip(EVIDENCE, memory.evidence(keys(60)[:10]).T, strict=True))
    assert found["evidence_weight"] == pytest.approx(found["evidence_weight"].mean(), rel=0.5)
    assert (found["evidence_logit"] > 0).all()
    assert found["evidence_bought_ratio"] == pytest.approx(np.log(0.8), abs=1e-6)
    declined = memory.evidence(keys(60, seed=1)[:10])[:, EVIDENCE.index("evidence_logit")]
    assert declined.mean() < found["evidence_logit"].mean()
    assert np.expm1(found["evidence_weight"]).min() > 1.0
