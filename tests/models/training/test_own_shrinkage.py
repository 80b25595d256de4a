"""Effects that hold in later weeks keep their estimated spread; those that do not are held closer to zero."""

from dataclasses import replace

import numpy as np
import pytest

from eval.own_store.shops import SHOPS, simulate_outcomes
from models.evaluator.binning import Binning
from models.evaluator.monotone import sigmoid
from models.training.factored_matrix import FactoredMatrix
from models.training.own_logit import fit_logit
from models.training.own_rows import Split
from models.training.own_shrinkage import UNLIMITED, chosen_shrinkage, limited
from models.training.own_table import OwnTable

SIZE, TRAIN = 5_000, 4_000
LABELS = 40
SPLIT = Split(np.arange(TRAIN), np.arange(TRAIN, SIZE), np.arange(SIZE, SIZE + 10))


def shop(seed: int, *, lasting: bool) -> OwnTable:
    """Rows whose levels differ by label, in later weeks as before or anew."""
    rng = np.random.default_rng(seed)
    rows = simulate_outcomes(SHOPS["profiles"], seed, SIZE, 10).rows
    count = len(rows.at_s)
    label = rng.integers(LABELS, size=count)
    levels = rng.normal(0, 1.0, (2, LABELS))
    weeks = (np.arange(count) >= TRAIN).astype(int)
    level = levels[0 if lasting else weeks, label]
    chance = sigmoid(-1.0 + level - 2.0 * rows.data.log_ratio)
    bought = (rng.random(count) < chance).astype(np.float32)
    names = [f"profile.label={k}" for k in range(LABELS)]
    effects = rows.effects.with_group(
        "profile.label", names, FactoredMatrix.of_groups(label, np.eye(LABELS)), (0.7, 0.5)
    )
    rows = replace(rows, data=replace(rows.data, bought=bought), effects=effects)
    return OwnTable(rows, Binning.fit(np.asarray(rows.data.numeric[:TRAIN]), 2), 0.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_lasting_effects_keep_their_estimated_spread(seed: int) -> None:
    table = shop(seed, lasting=True)
    logit = fit_logit(table.of(SPLIT.train), table.rows.effects, drifts=False)
    chosen, most, losses = chosen_shrinkage(table, SPLIT, logit)
    assert most == UNLIMITED
    assert chosen is logit
    assert losses["prior sd at most inf"] < min(losses["prior sd at most 0.3"], losses["prior sd at most 0.1"])


@pytest.mark.parametrize("seed", [1, 2])
def test_effects_of_their_own_weeks_are_shrunk_and_later_weeks_are_told_better(seed: int) -> None:
    table = shop(seed, lasting=False)
    logit = fit_logit(table.of(SPLIT.train), table.rows.effects, drifts=False)
    chosen, most, losses = chosen_shrinkage(table, SPLIT, logit)
    assert most <= 0.1
    assert (chosen.sd <= most + 1e-12).all()
    assert losses[f"prior sd at most {most:g}"] < losses["prior sd at most inf"] - 0.01


def test_a_limit_above_all_spreads_changes_nothing() -> None:
    table = shop(1, lasting=True)
    logit = fit_logit(table.of(SPLIT.train), table.rows.effects, drifts=False)
    assert limited(table, SPLIT, logit, UNLIMITED) is logit
