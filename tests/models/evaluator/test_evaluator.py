from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from models.encoder.encoder import DIM
from models.errors import RegistryError
from models.evaluator.binning import Binning
from models.evaluator.evaluator import NUMERIC, RANK, Evaluator, EvaluatorInputs, EvaluatorWeights, Response
from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.evaluator.evidence import EVIDENCE, KEY_DIM, Neighbours, evidence_matrix, item_states
from models.evaluator.monotone import MonotoneHead
from models.evaluator.promotion import STATES
from models.shopper.features import FEATURES
from models.shopper.history import RecentItems


def weights(seed: int = 0) -> tuple[EvaluatorWeights, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    covariances = [0.01 * np.eye(3 * 10), 0.01 * np.eye(2 * 10)]
    binning = Binning.fit(rng.standard_normal((200, NUMERIC)).astype(np.float32), 4)
    width = binning.width + 2 * RANK + 1
    made = EvaluatorWeights(
        binning=binning,
        shopper_projection=rng.standard_normal((DIM, RANK)),
        product_projection=rng.standard_normal((DIM, RANK)),
        linear=rng.standard_normal(width) / 20,
        hidden=((rng.standard_normal((width, 8)) / 8, np.zeros(8)),),
        purchase=MonotoneHead.from_posterior(rng.standard_normal((3, 10)), covariances[0]),
        satisfaction=MonotoneHead.from_posterior(rng.standard_normal((2, 10)), covariances[1]),
        key_projection=rng.standard_normal((DIM, KEY_DIM)),
        base_rate=0.01,
    )
    return made, covariances


def situations(n: int, seed: int = 1) -> EvaluatorInputs:
    rng = np.random.default_rng(seed)

    def states() -> np.ndarray:
        vectors = rng.standard_normal((n, DIM)).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    zeros = np.zeros(n, np.float32)
    return EvaluatorInputs(
        features=rng.standard_normal((n, len(FEATURES))).astype(np.float32),
        evidence=rng.standard_normal((n, len(EVIDENCE))).astype(np.float32),
        interest=zeros,
        affinity=zeros,
        shopper=states(),
        product=states(),
        familiarity=zeros + 1,
        intent=zeros,
        trend=zeros,
        rival_log_ratio=zeros * np.nan,
    )


def respond(evaluator: Evaluator, batch: EvaluatorInputs, log_ratio: np.ndarray) -> Response:
    return evaluator.respond(evaluator.represent(batch), log_ratio)


GRID = np.linspace(-0.6, 0.6, 13)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.floats(-1, 1))
def test_purchase_and_satisfaction_fall_in_price_with_and_without_a_rival(seed: int, rival: float) -> None:
    made, _ = weights(seed)
    batch = replace(situations(2, seed), rival_log_ratio=np.asarray([np.nan, rival], np.float32))
    response = respond(Evaluator(made, "t"), batch, np.repeat(GRID[None], 2, axis=0))
    for probabilities in (
        response.purchase,
        response.satisfaction,
        response.purchase_draws,
        response.satisfaction_draws,
    ):
        assert (np.diff(probabilities, axis=1) <= 0).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_scores_do_not_depend_on_the_batch() -> None:
    made, _ = weights()
    evaluator, batch = Evaluator(made, "t"), situations(5)
    together = respond(evaluator, batch, np.repeat(GRID[None], 5, axis=0))
    arrays = [name for name in batch.__slots__ if isinstance(getattr(batch, name), np.ndarray)]
    one = EvaluatorInputs(**{name: getattr(batch, name)[3:4] for name in arrays})
    alone = respond(evaluator, one, GRID[None])
    assert alone.purchase[0] == pytest.approx(together.purchase[3], rel=1e-12)
    assert evaluator.expect(evaluator.represent(one), GRID[None]).purchase[0] == pytest.approx(
        together.purchase[3], rel=1e-12
    )


def test_unfamiliar_products_get_wider_intervals_around_the_same_mean() -> None:
    made, _ = weights()
    batch = situations(1)
    known = respond(Evaluator(made, "t"), batch, np.zeros((1, 1)))
    strange = respond(Evaluator(made, "t"), replace(batch, familiarity=np.zeros(1, np.float32)), np.zeros((1, 1)))
    assert strange.purchase == pytest.approx(known.purchase)
    assert strange.purchase_draws.std() > 1.5 * known.purchase_draws.std()


def test_a_cheaper_rival_and_session_intent_move_purchase_as_stated() -> None:
    made, _ = weights()
    batch = situations(1)

    def at_reference(changed: EvaluatorInputs) -> float:
        evaluator = Evaluator(made, "t")
        return float(evaluator.expect(evaluator.represent(changed), np.zeros((1, 1))).purchase[0, 0])

    base = at_reference(batch)
    assert at_reference(replace(batch, rival_log_ratio=np.asarray([-0.2], np.float32))) < base
    assert at_reference(replace(batch, rival_log_ratio=np.asarray([0.2], np.float32))) == pytest.approx(base)
    assert at_reference(replace(batch, intent=np.asarray([2.0], np.float32))) > base


def test_saved_and_loaded_weights_give_the_same_scores(tmp_path: Path) -> None:
    made, covariances = weights()
    save_evaluator(made, covariances, tmp_path / "e.safetensors")
    loaded = load_evaluator(tmp_path / "e.safetensors", "t")
    batch = situations(3)
    prices = np.repeat(GRID[None], 3, axis=0)
    assert respond(loaded, batch, prices).purchase == pytest.approx(
        respond(Evaluator(made, "t"), batch, prices).purchase, rel=1e-4
    )


@pytest.mark.parametrize("change", ["missing", "nan", "size"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: str) -> None:
    made, covariances = weights()
    path = tmp_path / "e.safetensors"
    save_evaluator(made, covariances, path)
    tensors = load_file(str(path))
    if change == "missing":
        del tensors["base_rate"]
    elif change == "nan":
        tensors["linear"][0] = np.nan
    else:
        tensors["linear"] = tensors["linear"][:-1]
    save_file(tensors, str(path))
    with pytest.raises(RegistryError, match="remedy"):
        load_evaluator(path, "t")


def test_evidence_of_buyers_raises_the_odds_and_no_evidence_is_neutral() -> None:
    bought, declined = [(1.0, 1.0, 0.9, 0.8)] * 8, [(0.0, 100.0, 0.9, 1.0)] * 3
    evidence = evidence_matrix(Neighbours.of([[], bought, declined]), 0.01)
    assert not evidence[0].any()
    assert evidence[1, 0] > 0 > evidence[2, 0]
    assert evidence[1, 3] == pytest.approx(np.log(0.8))
    assert evidence[2, 2] == pytest.approx(0.9)


def test_item_states_weigh_recent_products_and_skip_unknown_ones() -> None:
    axis = {"a": np.eye(DIM, dtype=np.float32)[0], "b": np.eye(DIM, dtype=np.float32)[1]}
    nowhere = np.zeros(DIM, np.float32)
    recents = [RecentItems(("a", "b", "gone"), (1.0, 0.5, 1.0)), RecentItems((), ())]
    states = item_states(recents, lambda ids: np.stack([axis.get(p, nowhere) for p in ids]))
    assert states[0, :2] == pytest.approx(np.asarray([1.0, 0.5]) / np.sqrt(1.25))
    assert not states[1].any()


def test_beyond_the_prices_that_were_tried_intervals_widen_and_means_stay() -> None:
    made, _ = weights()
    evaluator, batch = Evaluator(made, "t"), situations(3)
    grid = np.repeat(GRID[None], 3, axis=0)
    tried = np.tile([-0.2, 0.2], (3, 1))
    within = np.abs(GRID) <= 0.2
    plain, ranged = (respond(evaluator, one, grid) for one in (batch, replace(batch, tried=tried)))
    assert np.array_equal(plain.purchase, ranged.purchase)
    assert np.array_equal(plain.purchase_draws[:, within], ranged.purchase_draws[:, within])
    logits = [np.log(one.purchase_draws / (1 - one.purchase_draws))[:, [0, -1]] for one in (plain, ranged)]
    steep = made.purchase.drawn_slopes(evaluator.represent(batch).phi).mean(axis=1) > 0.5
    assert steep.sum() == 2
    assert (logits[1].std(axis=2) > logits[0].std(axis=2))[steep].all()
    assert (np.diff(ranged.purchase_draws, axis=1) <= 1e-12).all()


def with_promotions(seed: int = 0) -> tuple[EvaluatorWeights, list[np.ndarray]]:
    made, _ = weights(seed)
    rng = np.random.default_rng(seed)
    covariances = [0.01 * np.eye(3 * 11), 0.01 * np.eye(2 * 11)]
    return replace(
        made,
        promotion=rng.standard_normal((10, len(STATES))),
        purchase=MonotoneHead.from_posterior(rng.standard_normal((3, 11)), covariances[0]),
        satisfaction=MonotoneHead.from_posterior(rng.standard_normal((2, 11)), covariances[1]),
    ), covariances


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1]))
def test_purchase_falls_in_price_whatever_the_promotion(seed: int, display: int, mailer: int) -> None:
    made, _ = with_promotions(seed)
    batch = replace(situations(2, seed), promotion=np.asarray([[display, mailer]] * 2, np.float32))
    response = respond(Evaluator(made, "t"), batch, np.repeat(GRID[None], 2, axis=0))
    assert (np.diff(response.purchase_draws, axis=1) <= 0).all()


def test_a_promotion_of_which_nothing_is_known_changes_nothing() -> None:
    evaluator, batch = Evaluator(with_promotions()[0], "t"), situations(2)
    plain = evaluator.represent(batch).phi
    unknown = evaluator.represent(replace(batch, promotion=np.zeros((2, 2), np.float32))).phi
    told = evaluator.represent(replace(batch, promotion=np.asarray([[1, 0], [0, -1]], np.float32))).phi
    assert np.array_equal(plain, unknown)
    assert (plain != told).any(axis=1).all()


def test_saved_promotion_effects_are_loaded_and_must_fit(tmp_path: Path) -> None:
    made, covariances = with_promotions()
    path = tmp_path / "e.safetensors"
    save_evaluator(made, covariances, path)
    batch = replace(situations(3), promotion=np.ones((3, 2), np.float32))
    prices = np.repeat(GRID[None], 3, axis=0)
    found = respond(load_evaluator(path, "t"), batch, prices).purchase
    assert found == pytest.approx(respond(Evaluator(made, "t"), batch, prices).purchase, rel=1e-4)
    tensors = load_file(str(path))
    tensors["promotion"] = tensors["promotion"][:, :-1]
    save_file(tensors, str(path))
    with pytest.raises(RegistryError, match="remedy"):
        load_evaluator(path, "t")


def test_an_evaluator_trained_without_promotions_takes_them_and_ignores_them() -> None:
    evaluator, batch = Evaluator(weights()[0], "t"), situations(2)
    promoted = replace(batch, promotion=np.ones((2, 2), np.float32))
    assert np.array_equal(evaluator.represent(batch).phi, evaluator.represent(promoted).phi)
