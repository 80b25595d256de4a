from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.errors import RegistryError
from models.shopper.features import FEATURES
from models.shopper.ranking import PAIR, POPULARITY, RankingHead, load_ranking, save_ranking


def head(seed: int = 0) -> RankingHead:
    rng = np.random.default_rng(seed)

    def network(outputs: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        sizes = (PAIR, 4, 4, outputs)
        return tuple((rng.standard_normal((a, b)), rng.standard_normal(b)) for a, b in pairwise(sizes))

    return RankingHead(np.asarray([1.0, 0.5]), np.asarray([0.3, 0.2]), network(1), network(2))


def rows(n: int = 4) -> np.ndarray:
    features = np.random.default_rng(1).standard_normal((n, len(FEATURES))).astype(np.float32)
    features[:, 0] = [1, 0, 1, 0][:n]  # owned
    features[:, PAIR] = [1, 1, 0, 0][:n]  # category bought
    return features


def test_new_products_of_new_categories_rank_by_affinity_and_popularity_alone() -> None:
    features, affinity = rows(), np.asarray([0.1, 0.2, 0.3, 0.4], np.float32)
    found = head().scores(features, affinity)
    assert found[3] == pytest.approx(1.0 * 0.4 + 0.3 * features[3, POPULARITY], rel=1e-5)
    more = head().scores(features, affinity + np.float32(1))
    assert more - found == pytest.approx([0.5, 1.0, 0.5, 1.0], rel=1e-5)


def test_saved_and_loaded_head_scores_the_same(tmp_path: Path) -> None:
    save_ranking(head(), tmp_path / "r.safetensors")
    again = load_ranking(tmp_path / "r.safetensors")
    affinity = np.zeros(4, np.float32)
    assert again.scores(rows(), affinity) == pytest.approx(head().scores(rows(), affinity), rel=1e-5)


@pytest.mark.parametrize("fault", ["missing", "nan", "shape"])
def test_damaged_heads_are_refused(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "r.safetensors"
    save_ranking(head(), path)
    tensors = load_file(str(path))
    if fault == "missing":
        del tensors["affinity"]
    elif fault == "nan":
        tensors["popularity"][0] = np.nan
    else:
        tensors["product.0.matrix"] = tensors["product.0.matrix"][1:].copy()
    save_file(tensors, str(path))
    with pytest.raises(RegistryError):
        load_ranking(path)
