"""Changes of cost in imported outcomes, from a CSV file to the slope of a trained model."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from agent.cli.main import app as commands
from agent.domain.records import OutcomeRecord
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.training.own_outcomes import read_outcomes
from agent.training.own_store import OwnTraining, train_on_store
from models.training.identified_by import IdentifiedBy
from tests.agent.store.builders import decision, outcome
from tests.agent.training.test_own_store import filled, own_store, shop, silent
from tests.prepared import World

START = datetime(2026, 1, 5, tzinfo=UTC)
N = 2_400
SLOPE = 2.5
REFERENCE = 40.0


def confounded(file: Path, *, with_cost: bool) -> None:
    """Write a shop whose hidden promotion lifts demand and cuts prices; changes of cost move prices alone."""
    rng = np.random.default_rng(4)
    promoted = rng.random(N) < 0.3
    change = rng.normal(0, 0.25, N)
    ratio = 0.05 - 0.2 * promoted + 0.7 * change + rng.normal(0, 0.08, N)
    bought = rng.random(N) < 1 / (1 + np.exp(1.2 - 1.2 * promoted + SLOPE * ratio))
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["product_id", "price", "reference_price", "bought", "at", "currency", *["cost"] * with_cost])
        for k in range(N):
            price, cost = REFERENCE * np.exp(ratio[k]), 0.55 * REFERENCE * np.exp(change[k])
            at = (START + timedelta(hours=k / 4)).isoformat()
            row = [f"p{k % 12}", f"{price:.2f}", REFERENCE, int(bought[k]), at, "EUR", *[f"{cost:.2f}"] * with_cost]
            writer.writerow(row)


def imported(settings: Settings, file: Path) -> int:
    """Import a file of outcomes by the command; returns how many were new."""
    done = CliRunner().invoke(
        commands, ["import", "outcomes", str(file), "--data-dir", str(settings.data_dir), "--json"]
    )
    assert done.exit_code == 0, done.output
    return int(json.loads(done.output)["imported"])


def trained(world: World, folder: Path, *, with_cost: bool) -> tuple[Settings, OwnTraining]:
    """Import the shop from CSV and train on it."""
    settings = shop(world, folder)
    file = folder / "outcomes.csv"
    confounded(file, with_cost=with_cost)
    service = filled(settings, [])
    assert imported(settings, file) == N
    made = train_on_store(own_store(service), "mine", silent)
    service.close()
    return settings, made


def test_imported_changes_of_cost_identify_the_slope(world: World, tmp_path: Path) -> None:
    _, blind = trained(world, tmp_path / "blind", with_cost=False)
    settings, told = trained(world, tmp_path / "told", with_cost=True)
    assert blind.report.identified_by is IdentifiedBy.IMPORTED_INPUTS
    assert told.report.identified_by is IdentifiedBy.COST_CHANGES
    assert any("followed changes of cost" in note for note in told.report.notes)
    off = [abs(one.report.elasticity[0] / _elasticity() - 1) for one in (told, blind)]
    assert off[0] < 0.25 < off[1]
    assert imported(settings, tmp_path / "told" / "outcomes.csv") == 0


def _elasticity() -> float:
    """Elasticity of demand at the reference, on average over the hidden promotion."""
    share, p = np.asarray([0.7, 0.3]), [1 / (1 + np.exp(np.asarray([1.2, 0.0]) + SLOPE * x)) for x in (-0.1, 0.1)]
    return float(np.log(share @ p[0] / (share @ p[1])) / 0.2)


def test_quotes_of_ones_own_have_the_cost_of_their_decision(world: World, tmp_path: Path) -> None:
    settings = shop(world, tmp_path / "data")
    with open_store(settings) as store:
        store.record_decisions([decision(id="q1", cost_minor=160), decision(id="q2", cost_minor=None)], [{}, {}])
        made: list[OutcomeRecord] = [outcome(outcome_id=f"o{quote}", quote_id=quote) for quote in ("q1", "q2")]
        store.record_outcomes([*made, outcome(outcome_id="elsewhere", quote_id=None, cost_minor=150)])
        own = read_outcomes(store, silent)
    assert own.cost_minor[[0, 2]].tolist() == [160, 150]
    assert np.isnan(own.cost_minor[1])
    assert own.origins.cost[2] == np.log(150 / 299)
