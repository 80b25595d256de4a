"""The checks of a kill test detect planted faults."""

from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.domain.records import EventRecord, EventType, OutcomeType
from agent.service.auth.quote_tokens import TokenSigner
from agent.store import Store
from agent.store.engine import open_database
from eval.chaos.checks import Findings, check_log, check_store, check_tokens
from eval.chaos.load import SHOPPERS, AckedQuote, Journal, SentRequest
from tests.agent.store.builders import decision, event, outcome


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/store.db")


def acked(shopper: str, quote_id: str, price_minor: int = 279) -> AckedQuote:
    return AckedQuote(SentRequest("/v1/quotes", f"quote-{shopper}", {}, shopper), quote_id, "token", price_minor)


def found(store: Store, *quotes: AckedQuote, **outcomes: str) -> Findings:
    findings = Findings()
    check_store(store, Journal({q.request.shopper: q for q in quotes}, dict(outcomes)), findings)
    return findings


def sell(store: Store, shopper: str, quote_id: str) -> None:
    def sale(_record: object) -> EventRecord:
        return event(shopper_id=shopper, type=EventType.PURCHASE)

    store.record_outcomes([outcome(outcome_id=f"{quote_id}:p", quote_id=quote_id, shopper_id=shopper)], sale)


def test_a_store_with_each_acknowledged_quote_once_passes(store: Store) -> None:
    store.record_decisions([decision(id="d1", shopper_id="a"), decision(id="d2", shopper_id="b")])
    sell(store, "a", "d1")
    assert found(store, acked("a", "d1"), acked("b", "d2"), a="purchased").problems == []


def test_lost_changed_and_duplicated_quotes_are_found(store: Store) -> None:
    store.record_decisions([decision(id="d1", shopper_id="a"), decision(id="d2", shopper_id="a")])
    assert "is lost" in found(store, acked("b", "gone")).problems[0]
    assert "has 2 decisions" in found(store, acked("a", "d1")).problems[0]
    assert any("is lost" in problem for problem in found(store, acked("a", "d1", 1)).problems)
    mine = [decision(id=name, shopper_id=f"{SHOPPERS}c") for name in ("d3", "d4")]
    store.record_decisions(mine)
    assert found(store).repeated == 1


def test_a_lost_outcome_and_a_missing_or_duplicated_sale_are_found(store: Store) -> None:
    store.record_decisions([decision(id="d1", shopper_id="a")])
    quote = acked("a", "d1")
    assert "stored 0 times" in found(store, quote, a="declined").problems[0]
    store.record_outcomes([outcome(outcome_id="x", quote_id="d1", shopper_id="a", type=OutcomeType.PURCHASED)])
    assert "counts as 0 sales" in found(store, quote, a="purchased").problems[0]
    store.append_events([event(shopper_id="a"), event(shopper_id="a")])
    assert "counts as 2 sales" in found(store, quote, a="purchased").problems[0]


def test_a_changed_log_is_found(store: Store, tmp_path: Path) -> None:
    signer = TokenSigner(Ed25519PrivateKey.generate())
    store.seal_with(signer.seal)
    store.record_decisions([decision(id="d1")])
    findings = Findings()
    assert (check_log(store, signer, findings), findings.problems) == (1, [])
    database = open_database(f"sqlite:///{tmp_path}/store.db")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE decisions SET price_minor = 1")
    database.close()
    check_log(store, signer, findings)
    assert findings.problems


@pytest.mark.parametrize(
    ("quote_id", "reported", "status", "right"),
    [  # an outcome of d2 is a purchase, one of d1 is not
        ("d2", {}, "valid", True),
        ("d2", {}, "used", True),
        ("d2", {"a": "purchased"}, "used", True),
        ("d2", {"a": "purchased"}, "valid", False),
        ("d1", {"a": "declined"}, "valid", True),
        ("d1", {}, "used", False),
        ("d2", {}, "expired", False),
    ],
)
def test_a_token_is_used_where_a_purchase_was_reported_and_nowhere_else(
    quote_id: str, reported: dict[str, str], status: str, right: bool
) -> None:
    quote, findings = acked("a", quote_id), Findings()
    answer = {"status": status, "price": {"amount_minor": 279}}
    with httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer)), base_url="http://t"
    ) as http:
        check_tokens(http, [quote], Journal({"a": quote}, dict(reported)), findings)
    assert (findings.problems == []) == right


def test_a_token_of_another_price_is_found() -> None:
    quote, findings = acked("a", "d1"), Findings()
    answer = {"status": "valid", "price": {"amount_minor": 280}}
    with httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer)), base_url="http://t"
    ) as http:
        check_tokens(http, [quote], Journal({"a": quote}), findings)
    assert "token of quote d1" in findings.problems[0]
