import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient
from typer.testing import CliRunner

from agent.api.app import create_app
from agent.cli.main import app as commands
from agent.domain.candidates import Scores
from agent.domain.decision import Decision
from agent.domain.records import OutcomeType
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.score_at_prices import PricedRow, RowScorer
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from retrieval import SimilarOutcomes
from retrieval.hnsw import Vectors
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


NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
KINDS: list[dict[str, Any]] = [
    {},
    {"context": {"at": MOMENTS[0]}},
    {"context": {"at": MOMENTS[2], "channel": "web"}},
    {"quantity": 3, "limits": {"min_price": {"amount_minor": 5, "currency": "USD"}}},
    {"context": {"competitor_prices": [{"amount_minor": 150, "currency": "USD"}], "market_trend": "rising"}},
    {"context": {"promotion": {"display": True, "mailer": False}}},
    {"context": {"promotion": {"mailer": True}, "season": "winter"}, "quantity": 2},
    {"events": [{"type": "add_to_cart", "product_id": "BOUGHT"}]},
    {"product": {"title": "Milk", "category": "dairy", "list_price": {"amount_minor": 300, "currency": "USD"}}},
    {"product": {"id": "BOUGHT", "inventory": 4, "rating": 4.5}},
    {"product": {"id": "unheard of"}},
]
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, len(KINDS) - 1), st.integers(50, 900), st.booleans()),
    min_size=1,
    max_size=12,
)


def asked(own: World, shopper: int, is_bought: bool, kind: int) -> QuoteRequest:
    body = request((own.shopper, "nobody", "a stranger")[shopper], own.bought if is_bought else own.never_bought, "")
    del body["context"]
    return QuoteRequest.model_validate_json(json.dumps(body | KINDS[kind]).replace("BOUGHT", own.bought))


def fresh(service: Service) -> RowScorer:
    """A scorer that has not scored anything yet."""
    kept = service._parts.row_scorer
    return RowScorer(kept.reader, kept.retriever.reading_with(kept.retriever.reader))


def close(found: Scores | Refusal, expected: Scores | Refusal, rel: float = 1e-9) -> bool:
    if isinstance(found, Refusal) or isinstance(expected, Refusal):
        return found == expected
    return bool(numbers(found) == pytest.approx(numbers(expected), rel=rel, abs=1e-3 * rel))


@pytest.fixture(scope="module")
def searched_alone(running: Service) -> Iterator[Service]:
    """The service with an exact search key by key: that of several differs in the last bits of a float32."""
    memory = running._parts.outcomes.memory
    alike = memory.alike

    def each_alone(keys: Vectors, k: int, before_us: Sequence[int]) -> SimilarOutcomes:
        found = [alike(keys[row : row + 1], k, [moment]) for row, moment in enumerate(before_us)]
        names = [one.name for one in fields(SimilarOutcomes)]
        return SimilarOutcomes(**{name: np.concatenate([getattr(one, name) for one in found]) for name in names})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "alike", each_alone)
        running._parts.row_scorer.forget()
        yield running


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=ROWS)
def test_any_batch_with_repeated_rows_scores_as_each_row_alone(
    searched_alone: Service, own: World, drawn: list[tuple[int, bool, int, int, bool]]
) -> None:
    rows = [PricedRow(asked(own, who, is_bought, kind), price) for who, is_bought, kind, price, _ in drawn]
    rows += [PricedRow(row.request, row.price_minor + 7) for row, one in zip(rows, drawn, strict=True) if one[-1]]
    for row, together in zip(rows, searched_alone._parts.row_scorer.score(rows, NOW), strict=True):
        is_described = row.request.product.title != ""  # its affinity is a float32 product, which differs by batch
        assert close(together, fresh(searched_alone).score([row], NOW)[0], 1e-6 if is_described else 1e-9)


def test_a_batch_of_many_prices_is_scored_in_blocks_as_in_one(searched_alone: Service, own: World) -> None:
    requests = [asked(own, shopper, is_bought, 0) for shopper in range(3) for is_bought in (True, False)]
    rows = [PricedRow(one, price) for price in range(100, 400) for one in requests[: 1 + price % len(requests)]]
    scorer = fresh(searched_alone)
    for place in (0, 5, 400, len(rows) - 1):
        assert close(scorer.score(rows, NOW)[place], scorer.score([rows[place]], NOW)[0])


def test_evidence_that_is_kept_ends_with_an_outcome_and_with_an_erasure(world: World, tmp_path: Path) -> None:
    own = world.copy(tmp_path / "data")
    service = own.service()
    try:
        rows = [PricedRow(asked(own, shopper, True, 0), 300) for shopper in (0, 1)]
        later = datetime.now(UTC) + timedelta(hours=1)
        scorer = service._parts.row_scorer
        before = scorer.score(rows, later)
        assert list(map(close, scorer.score(rows, later), before)) == [True, True]
        decision = service.quote([rows[0].request])[0]
        assert isinstance(decision, Decision)
        service.add_outcomes([OutcomeReport(decision.id, OutcomeType.PURCHASED, None, datetime.now(UTC))])
        after = scorer.score(rows, later)
        assert not close(after[0], before[0])
        assert all(map(close, after, fresh(service).score(rows, later)))
        service.erase_shopper(own.shopper)
        assert not scorer.retriever._evidence._entries
        assert all(map(close, scorer.score(rows, later), fresh(service).score(rows, later)))
    finally:
        service.close()
