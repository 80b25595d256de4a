from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.encoder.encoder import DIM
from models.errors import RegistryError
from models.shopper.item_affinity import FLOOR, Taste, load_taste, save_taste

NEAR = 3


def taste(n: int = 6, rank: int = 4) -> Taste:
    rng = np.random.default_rng(3)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float16).astype(np.float32)

    near = np.stack([rng.permutation(n)[:NEAR] for _ in range(n)]).astype(np.int32)
    rows = {f"p{row}": row for row in range(n)}
    return Taste(rows, normal(n, rank), normal(n, rank), near, normal(n, NEAR), normal(DIM, rank))


def text(n: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((n, DIM)).astype(np.float32) / 20


def test_affinity_is_the_sum_over_products_bought() -> None:
    made = taste()
    buyer = made.buyer(["p1", "p4", "unheard of"])
    found = np.exp(made.affinity([buyer] * 6, list(made.rows), text(6))) - FLOOR
    for item in range(6):
        total = 0.0
        for owned in (1, 4):
            total += float(made.given[owned] @ made.wanted[item])
            total += sum(float(w) for n, w in zip(made.near[item], made.near_weight[item], strict=True) if n == owned)
        assert found[item] == pytest.approx(max(0.0, total), abs=1e-5)


def test_a_stranger_has_no_affinity_to_anything() -> None:
    made = taste()
    assert np.exp(made.affinity([made.buyer([])] * 2, ["p1", "new"], text(2))) == pytest.approx([FLOOR, FLOOR])


def test_the_affinity_to_a_product_unseen_in_training_comes_from_its_text() -> None:
    made, states = taste(), text(2)
    buyer = made.buyer(["p2"])
    found = np.exp(made.affinity([buyer, buyer], ["p3", "new"], states)) - FLOOR
    assert found[1] == pytest.approx(max(0.0, float(made.given[2] @ (states[1] @ made.text_wanted))), abs=1e-5)


def test_saved_and_loaded_item_states_give_the_same_affinity(tmp_path: Path) -> None:
    made = taste()
    save_taste(made, tmp_path / "taste.safetensors")
    again = load_taste(tmp_path / "taste.safetensors")
    assert again.rows == made.rows
    for buyer in (["p0"], ["p1", "p5"]):
        left, right = ([t.buyer(buyer)] * 6 for t in (made, again))
        assert again.affinity(right, list(made.rows), text(6)) == pytest.approx(
            made.affinity(left, list(made.rows), text(6)), abs=1e-3
        )


@pytest.mark.parametrize("fault", ["missing", "shape", "nan", "near"])
def test_damaged_item_states_are_refused_with_the_reason(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "taste.safetensors"
    save_taste(taste(), path)
    tensors = load_file(str(path))
    if fault == "missing":
        del tensors["wanted"]
    elif fault == "shape":
        tensors["wanted"] = tensors["wanted"][:-1]
    elif fault == "nan":
        tensors["given"][0, 0] = np.nan
    else:
        tensors["near"][0, 0] = 99
    save_file(tensors, str(path))
    with pytest.raises(RegistryError, match=r"expected|inconsistent|NaN or infinite"):
        load_taste(path)
