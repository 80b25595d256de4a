"""Behaviour texts are read where their interest predicts later outcomes; descriptions unless surely worse."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from agent.training.own_rows import situations_of
from eval.own_store.shops import SHOPS, simulate_outcomes
from eval.own_store.titled import TITLED
from models.encoder.encoder import DIM
from models.evaluator.evaluator import INTEREST
from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.training import own_texts
from models.training.own_evaluator import Trained, train_own
from models.training.own_rows import OwnRows, Split
from models.training.own_texts import DESCRIBED, READ, UNDESCRIBED, UNREAD, unread

SIZE = 2_000


def told(share: float, seed: int) -> OwnRows:
    """Rows whose interest moves with the outcome by some share, the rest is chance."""
    rows, rng = simulate_outcomes(SHOPS["profiles"], seed, SIZE, 10).rows, np.random.default_rng(seed)
    numeric, bought = np.array(rows.data.numeric), rows.data.bought
    numeric[:, INTEREST] = share * (bought - bought.mean()) + rng.normal(0, 1, len(bought))
    states = rng.normal(0, 0.05, (len(bought), rows.data.stranger.shape[0])).astype(np.float32)
    data = replace(rows.data, numeric=numeric, shopper_row=np.arange(len(bought)), shopper_states=states)
    return replace(rows, data=data, interest_alone=np.zeros(len(bought), np.float32))


def trained(rows: OwnRows) -> Trained:
    split = Split(np.arange(1_600), np.arange(1_600, SIZE), np.arange(SIZE, SIZE + 10))
    return train_own(rows, split, "test", lambda *_: None)


@pytest.mark.parametrize("seed", [3, 4])
def test_interest_that_tells_of_outcomes_is_read(seed: int) -> None:
    model = trained(told(1.0, seed))
    assert model.choice.behaviour
    assert model.evaluator.weights.behaviour
    assert READ not in model.choice.losses


@pytest.mark.parametrize("seed", [3, 4])
def test_interest_by_chance_is_left_unread_and_changes_no_prediction(seed: int, tmp_path: Path) -> None:
    rows = told(0.0, seed)
    model = trained(rows)
    assert not model.choice.behaviour
    assert model.choice.losses[UNREAD] <= model.choice.losses[READ] + 0.01
    save_evaluator(model.evaluator.weights, model.covariances, tmp_path / "evaluator.safetensors")
    assert not load_evaluator(tmp_path / "evaluator.safetensors", "read").weights.behaviour
    some = np.arange(50)
    plain, own = (situations_of(one, some, model.evaluator) for one in (model.rows, unread(rows)))
    assert (plain.interest == 0).all()
    assert (plain.shopper == rows.data.stranger).all()
    assert (plain.interest == own.interest).all()
    assert (plain.features == situations_of(rows, some, model.evaluator).features).all()


def by_chance(texts: Sequence[str]) -> np.ndarray:
    """A state a text that tells nothing, as titles that are numbers do."""
    return np.stack([np.random.default_rng(crc32(text.encode())).normal(0, 0.05, DIM) for text in texts]).astype("f4")


def test_without_text_undoes_with_text() -> None:
    shop = TITLED["titles, English"]
    told, plain = (simulate_outcomes(shop, 3, SIZE, 10, encode).rows for encode in (by_chance, None))
    bare = told.without_text()
    assert told.text is not None
    assert len(told.effects.names) > len(plain.effects.names)
    assert bare.text is None
    assert (bare.effects.names, bare.effects.groups) == (plain.effects.names, plain.effects.groups)
    assert (bare.effects.group == plain.effects.group).all()
    assert (bare.effects.sd == plain.effects.sd).all()
    assert (bare.effects.values.to_sparse() != plain.effects.values.to_sparse()).nnz == 0
    assert bare.without_text() is bare


def test_descriptions_are_left_unread_only_where_that_is_surely_better(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = simulate_outcomes(TITLED["titles, English"], 3, SIZE, 10, by_chance).rows
    kept = trained(rows)
    assert kept.evaluator.weights.text is not None
    assert UNDESCRIBED not in kept.choice.losses
    monkeypatch.setattr(own_texts, "SURELY_WORSE", -1e9)
    dropped = trained(rows)
    assert dropped.evaluator.weights.text is None
    assert dropped.rows.text is None
    assert {UNDESCRIBED, DESCRIBED} <= dropped.choice.losses.keys()
