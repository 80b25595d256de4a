"""`eval models` on rows simulated from the shipped evaluator: with noise in its weights the run exits 1."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from agent.cli.main import app as commands
from agent.state.loading import load_active_evaluator
from agent.store.data_folder import DataFolder
from eval.demand.protocol import Demand
from eval.models import baskets as models_baskets
from eval.models import run as models
from eval.models.run import BLOCKS, ModelsReport, block_of, predict
from eval.strategist import protocol as strategist
from models.evaluator.evaluator import NUMERIC, Evaluator
from models.evaluator.evaluator_file import load_evaluator
from models.registry.registry import Registry
from models.training.evaluator import EvaluatorData
from tests.prepared import World, linked

SAMPLED = 0.05  # share of the rows without purchase


def simulated_demand(evaluator: Evaluator, n: int = 20_000) -> Demand:
    """Rows of random shoppers and products with purchases drawn from the evaluator's probabilities."""
    rng = np.random.default_rng(5)
    states = rng.standard_normal((200, 384)).astype(np.float32)
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    data = EvaluatorData(
        numeric=rng.standard_normal((n, NUMERIC)).astype(np.float32),
        shopper_row=rng.integers(0, 200, n),
        product_row=rng.integers(0, 200, n),
        shopper_states=states,
        product_states=states[::-1].copy(),
        stranger=np.zeros(384, np.float32),
        log_ratio=rng.normal(-0.1, 0.15, n).astype(np.float32),
        rate=np.full(n, SAMPLED, np.float32),
        bought=np.zeros(n, np.float32),
        weight=np.ones(n, np.float32),
        returned=np.full(n, np.nan, np.float32),
        cluster=rng.integers(0, 800, n),
    )
    week = rng.integers(9, 45, n)
    stratum = rng.random(n) < 0.5
    whole = Demand(data, week, stratum, "encoder")
    bought = rng.random(n) < predict(evaluator, whole, np.arange(n)).offered
    rows = np.flatnonzero(bought | (rng.random(n) < SAMPLED))
    sampled = {
        name: getattr(data, name)[rows]
        for name in ("numeric", "shopper_row", "product_row", "log_ratio", "rate", "returned", "cluster")
    }
    weight = np.where(bought[rows], 1.0, 1 / SAMPLED).astype(np.float32)
    return Demand(
        replace(data, **sampled, bought=bought[rows].astype(np.float32), weight=weight),
        week[rows],
        stratum[rows],
        "encoder",
    )


@pytest.fixture
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy of the models; the demand protocol uses simulated rows, the two other protocols are skipped."""
    root = tmp_path / "data"
    shutil.copytree(world.folder / "models", root / "models", copy_function=linked)
    demand = simulated_demand(load_active_evaluator(Registry(DataFolder(root).models)))
    monkeypatch.setattr(models, "load_demand", lambda *_: demand)

    def unchanged(report: ModelsReport, *_: object) -> ModelsReport:
        return report

    monkeypatch.setattr(models_baskets, "evaluate_baskets", unchanged)
    monkeypatch.setattr(strategist, "evaluate_strategist", lambda *_: None)
    return root


def run_models(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(commands, ["eval", "models", "--quick", *options, "--data-dir", str(folder)])


def test_a_worsened_evaluator_exits_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_models(folder, "--save-baseline", "main")
    again = run_models(folder, "--baseline", "main")
    assert "regression: demand: information gain" not in again.output, again.output

    def noisy(path: Path, version: str) -> Evaluator:
        weights = load_evaluator(path, version).weights
        rng = np.random.default_rng(1)
        hidden = tuple((m + 0.5 * m.std() * rng.standard_normal(m.shape), b) for m, b in weights.hidden)
        linear = weights.linear + 2.0 * weights.linear.std() * rng.standard_normal(weights.linear.shape)
        return Evaluator(replace(weights, hidden=hidden, linear=linear), version)

    monkeypatch.setattr(models, "load_evaluator", noisy)
    worse = run_models(folder, "--baseline", "main")
    assert worse.exit_code == 1, worse.output
    assert "regression: demand: information gain: lost" in worse.output


def test_households_keep_their_block() -> None:
    numbers = np.arange(5_000)
    blocks = block_of(numbers)
    assert (blocks == block_of(numbers)).all()
    assert set(blocks.tolist()) == set(range(BLOCKS))
