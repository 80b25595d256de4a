import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar.testing import TestClient
from typer.testing import CliRunner

from agent.api.app import create_app
from agent.cli.main import app as commands
from agent.domain.candidates import Scores
from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.pricing.score_at_prices import PricedRow
from agent.service.service import Service
from tests.prepared import World, open_all

KEY = "bootstrap-key-for-tests"
MOMENTS = ("2017-05-02T09:00:00Z", "2017-09-20T18:00:00Z", "2017-12-01T12:00:00Z")
NAMES = ("purchase_probability", "profit", "satisfaction")


def request(shopper: str, product: str, at: str) -> dict[str, Any]:
    return {"shopper": {"id": shopper}, "product": {"id": product}, "context": {"at": at}}


def numbers(scores: Scores) -> list[float]:
    return [end for name in NAMES for end in (getattr(scores, name).value, getattr(scores, name).low)]


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("score") / "data")


@pytest.fixture(scope="module")
def running(own: World) -> Iterator[Service]:
    service = own.service()
    yield service
    service.close()


def test_a_batch_of_shoppers_and_moments_in_any_order_scores_as_each_alone(running: Service, own: World) -> None:
    asked = [
        request(shopper, product, at)
        for shopper in (own.shopper, "nobody")
        for product in (own.bought, own.never_bought)
        for at in MOMENTS
    ]
    decisions = [running.quote([QuoteRequest.model_validate(one)])[0] for one in asked]
    alone = [decision for decision in decisions if isinstance(decision, Decision)]
    assert len(alone) == len(asked)
    order = np.random.default_rng(3).permutation(len(asked))
    rows = [PricedRow(QuoteRequest.model_validate(asked[i]), alone[i].price_minor) for i in order]
    for i, together in zip(order, running.score(rows), strict=True):
        scores = alone[i].scores
        assert isinstance(together, Scores)
        assert scores is not None
        assert numbers(together) == pytest.approx(numbers(scores), rel=1e-6)
    assert len({tuple(numbers(one.scores)) for one in alone[:6] if one.scores is not None}) == 6


def test_the_command_gives_the_numbers_of_http(own: World, tmp_path: Path) -> None:
    with TestClient(create_app(own.settings(bootstrap_key=KEY), open_all)) as client:
        body = request(own.shopper, own.bought, MOMENTS[1])
        answer = client.post(
            "/v1/quotes?include=candidates", json=body, headers={"Authorization": f"Bearer {KEY}"}
        ).json()
    offers, scored = tmp_path / "offers.csv", tmp_path / "scored.csv"
    with offers.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["shopper_id", "product_id", "price", "at"])
        for candidate in answer["candidates"]:
            price = f"{candidate['price']['amount_minor'] / 100:.2f}"
            writer.writerow([own.shopper, own.bought, price, MOMENTS[1]])
    told = CliRunner().invoke(
        commands, ["score", str(offers), "--out", str(scored), "--json", "--data-dir", str(own.folder)]
    )
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout)
    assert facts["rows"] == len(answer["candidates"])
    assert facts["rows a second"] > 0
    with scored.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for candidate, row in zip(answer["candidates"], rows, strict=True):
        for name in NAMES:
            for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                unit = 100 if name == "profit" else 1  # files have profit in major units, HTTP in minor ones
                assert unit * float(row[f"{name}{suffix}"]) == pytest.approx(candidate["scores"][name][end], rel=1e-5)
