"""A price response does not depend on the reference price that ratios are taken to, and kinks are found in few rows."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from agent.training.own_rows import situations_of
from eval.own_store.shops import SHOPS, SimulatedOutcomes, simulate_outcomes
from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.training.own_evaluator import Trained, train_own
from models.training.own_report import predict
from models.training.own_rows import OwnRows, Split

SIZE, LATER = 1_300, 1_000


def trained(rows: OwnRows) -> Trained:
    cut = round(0.8 * SIZE)
    split = Split(np.arange(cut), np.arange(cut, SIZE), np.arange(SIZE, SIZE + LATER))
    return train_own(rows, split, "test", lambda *_: None)


def later(model: Trained, rows: OwnRows) -> np.ndarray:
    situations = partial(lambda of, some: situations_of(of, some, model.evaluator), model.rows)
    return predict(model.evaluator, rows, np.arange(SIZE, SIZE + LATER), situations)


@pytest.fixture(scope="module")
def shop() -> SimulatedOutcomes:
    return simulate_outcomes(SHOPS["profiles"], 5, SIZE, LATER)


def test_prices_far_above_the_reference_are_learned_as_those_near_it(shop: SimulatedOutcomes) -> None:
    rows = shop.rows
    far = replace(rows, data=replace(rows.data, log_ratio=rows.data.log_ratio + np.float32(np.log(2.0))))
    assert later(trained(far), far) == pytest.approx(later(trained(rows), rows), abs=0.01)


def test_the_file_keeps_the_center(shop: SimulatedOutcomes, tmp_path: Path) -> None:
    model = trained(shop.rows)
    save_evaluator(model.evaluator.weights, model.covariances, tmp_path / "evaluator.safetensors")
    read = load_evaluator(tmp_path / "evaluator.safetensors", "read")
    assert read.weights.center == model.evaluator.weights.center != 0


@pytest.mark.parametrize(("name", "kinked"), [("kinks", True), ("price alone", False), ("profiles", False)])
def test_kinks_are_chosen_where_demand_has_them(name: str, kinked: bool) -> None:
    rows = simulate_outcomes(SHOPS[name], 41, 2_000, 10).rows
    split = Split(np.arange(1_600), np.arange(1_600, 2_000), np.arange(2_000, 2_010))
    assert bool(train_own(rows, split, "test", lambda *_: None).choice.kinks) is kinked
