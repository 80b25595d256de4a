"""`pricesmith quote --url`: the same output as in process, and errors that name the remedy."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.api.responses.quote_json import encode, merchant_fields, shopper_fields
from agent.cli import pricing
from agent.cli.errors import CommandError, ServerRefused, ServerUnavailable
from agent.cli.main import app
from agent.domain.decision import Decision
from agent.domain.refusal import FieldProblem, Refusal
from agent.domain.request import QuoteRequest
from agent.service.settings import Settings
from agent.store import StoreKind
from tests.agent.cli.scripted_server import Script, scripted_server
from tests.agent.store.builders import decision

ANSWER = json.loads(encode(merchant_fields(decision(), candidates=True)))
PROBLEM = {
    "type": "/problems/not-priceable",
    "code": "not-priceable",
    "title": "Invalid request",
    "status": 422,
    "detail": "no product has the id 'p9'",
    "errors": [{"field": "product.id", "message": "is unknown", "received": "p9", "allowed": "a known id"}],
}


class OneDecision:
    """A service that answers every request with one decision or refusal."""

    def __init__(self, answer: Decision | Refusal) -> None:
        self.answer = answer
        self.asked: list[QuoteRequest] = []
        self.store_kind = StoreKind.OWN

    def quote(self, requests: list[QuoteRequest]) -> list[Decision | Refusal]:
        self.asked += requests
        return [self.answer]


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.txt"
    path.write_text("ps_id_secret\n")
    return path


def quote(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["quote", *map(str, arguments)])


def in_process(monkeypatch: pytest.MonkeyPatch, service: OneDecision) -> None:
    @contextmanager
    def running(_settings: Settings, *, quiet: bool) -> Iterator[OneDecision]:
        yield service

    monkeypatch.setattr(pricing, "running_service", running)


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "JSON"])
def test_a_server_s_price_prints_as_one_made_in_process(
    form: list[str], script: Script, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [(200, ANSWER)]
    asked = ["--product", "p1", "--shopper", "s1", *form]
    over_http = quote(*asked, "--url", script.url, "--key-file", key)
    in_process(monkeypatch, OneDecision(decision()))
    here = quote(*asked)
    assert over_http.exit_code == here.exit_code == 0
    assert over_http.output == here.output
    assert "2.79 USD" in here.output or json.loads(here.output)["price"]["amount_minor"] == 279


def test_the_request_goes_out_with_key_and_candidates(script: Script, key: Path) -> None:
    script.answers = [(200, ANSWER)]
    quote("--product", "p1", "--shopper", "s1", "--quantity", 3, "--url", f"{script.url}/", "--key-file", key)
    path, headers, body = script.asked[0]
    assert path == "/v1/quotes?include=candidates"
    assert headers["authorization"] == "Bearer ps_id_secret"
    assert body == {"shopper": {"id": "s1"}, "product": {"id": "p1"}, "quantity": 3}


def test_a_key_for_quotes_alone_is_shown_the_shoppers_view(script: Script, key: Path) -> None:
    shopper = json.loads(encode(shopper_fields(decision())))
    script.answers = [(403, PROBLEM | {"detail": "include=candidates needs a key with ..."}), (200, shopper)]
    done = quote("--product", "p1", "--url", script.url, "--key-file", key)
    assert [path for path, _, _ in script.asked] == ["/v1/quotes?include=candidates", "/v1/quotes"]
    assert done.exit_code == 0
    assert "2.79 USD" in done.output
    assert "Candidates" not in done.output


def test_a_whole_request_and_a_key_from_the_environment(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [(200, ANSWER)]
    request = {"product": {"id": "p1"}, "context": {"inventory": 5, "at": "2026-03-01T12:00:00Z"}}
    (tmp_path / "request.json").write_text(json.dumps(request))
    monkeypatch.setenv("PRICESMITH_KEY", "ps_id_other")
    done = quote("--request", tmp_path / "request.json", "--url", script.url)
    assert done.exit_code == 0
    assert script.asked[0][1]["authorization"] == "Bearer ps_id_other"
    assert script.asked[0][2] == request


@pytest.mark.parametrize(
    ("status", "answer", "error", "said"),
    [
        (401, PROBLEM, ServerRefused, "does not know this API key; remedy: `pricesmith keys create NAME`"),
        (
            403,
            PROBLEM | {"detail": "the key lacks the scope 'quotes'"},
            ServerRefused,
            "keys create NAME --scope quotes",
        ),
        (422, PROBLEM, ServerRefused, "product.id: is unknown; allowed: a known id"),
        (
            429,
            PROBLEM | {"detail": "the key is used too often", "errors": []},
            ServerUnavailable,
            "used too often; remedy: try again",
        ),
        (
            503,
            PROBLEM | {"detail": "too many quotes wait", "errors": []},
            ServerUnavailable,
            "too many quotes wait; remedy: try again",
        ),
        (404, b"<html>nothing here</html>", ServerRefused, "not as a Pricesmith server does; remedy: check --url"),
        (200, b"<html>welcome</html>", ServerRefused, "not as a Pricesmith server does; remedy: check --url"),
        (200, {"hello": "world"}, ServerRefused, "does not answer with a quote; remedy: check --url"),
    ],
    ids=["wrong key", "no scope", "refused", "too often", "overloaded", "no page", "a web site", "another JSON"],
)
def test_what_goes_wrong_is_told_with_the_remedy(
    status: int, answer: Any, error: type[CommandError], said: str, script: Script, key: Path
) -> None:
    script.answers = [(status, answer)]
    done = quote("--product", "p1", "--url", script.url, "--key-file", key)
    assert type(done.exception) is error
    assert said in str(done.exception)


def test_no_server_is_told_with_the_remedy(key: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        done = quote("--product", "p1", "--url", url, "--key-file", key)
    assert isinstance(done.exception, ServerUnavailable)
    assert f"no server answers at {url}" in str(done.exception)
    assert "remedy: start one with `pricesmith serve`" in str(done.exception)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str, key: Path) -> None:
    done = quote("--product", "p1", "--url", url, "--key-file", key)
    assert isinstance(done.exception, ServerRefused)
    assert "allowed: such as http://127.0.0.1:8000" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--product", "p1", "--url", "http://127.0.0.1:1"], "PRICESMITH_KEY is not set"),
        (["--product", "p1", "--key-file", "key.txt"], "goes with --url"),
        (["--product", "p1", "--url", "http://127.0.0.1:1", "--data-dir", "data"], "the server has its own"),
        (["--product", "p1", "--request", "request.json"], "leave --product and --shopper out"),
        ([], "give --product ID or --request FILE"),
    ],
    ids=["no key", "a key without server", "a folder beside a server", "two requests", "no request"],
)
def test_options_that_do_not_go_together_are_a_usage_error(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRICESMITH_KEY", raising=False)
    done = quote(*options)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_refusal_in_process_names_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = FieldProblem("product.id", "is unknown", "p9", "a known id")
    in_process(monkeypatch, OneDecision(Refusal(422, "not-priceable", "no product has the id 'p9'", (problem,))))
    done = quote("--product", "p9")
    assert done.exit_code == 1
    assert "product.id: is unknown; allowed: a known id" in done.output
