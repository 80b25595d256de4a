"""Every error answer names its kind; the codes and their pages are one table."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

import agent
from agent.api.problem_codes import BY_STATUS, KINDS, Code
from agent.api.problems import Problem, details
from agent.domain.refusal import Refusal
from tests.agent.api.scripted import ScriptedService, scripted_app

ROOT = Path(agent.__file__).parent


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Calls of a constructor in `agent`, each with its place."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_problem_names_its_code() -> None:
    found = list(calls("Problem"))
    assert len(found) > 20
    assert [place for place, call in found if "code" not in {one.arg for one in call.keywords}] == []


def test_every_refusal_has_a_code_of_its_status() -> None:
    found = [(place, call.args[:2]) for place, call in calls("Refusal")]
    assert len(found) > 5
    for place, (status, code) in found:
        assert isinstance(status, ast.Constant), place
        assert isinstance(code, ast.Constant), place
        assert KINDS[Code(str(code.value))].status == status.value, place


def test_every_code_named_beside_a_status_belongs_to_it() -> None:
    for place, call in calls("Problem"):
        code = next(one.value for one in call.keywords if one.arg == "code")
        if isinstance(code, ast.Attribute) and isinstance(call.args[0], ast.Constant):
            assert KINDS[Code[code.attr]].status == call.args[0].value, place


def test_codes_are_stable_kebab_case_words_and_each_is_explained() -> None:
    assert set(KINDS) == set(Code)
    for code, kind in KINDS.items():
        assert code == code.name.lower().replace("_", "-")
        assert kind.meaning.endswith(".")
        assert kind.remedy.endswith(".")
    assert all(KINDS[code].status == status for status, code in BY_STATUS.items())


def test_a_refusal_with_a_word_that_is_no_code_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="no-such"):
        Problem.of(Refusal(422, "no-such", "detail"))


def test_details_say_type_code_and_request() -> None:
    body = details(Problem(422, "wrong", code=Code.CURSOR_INVALID), "r-1")
    assert (body.type, body.code, body.request_id) == ("/problems/cursor-invalid", "cursor-invalid", "r-1")


@pytest.fixture
def client(empty_store: Path) -> Iterator[TestClient[Litestar]]:
    with TestClient(scripted_app(ScriptedService(), empty_store)) as running:
        yield running


def test_the_type_of_a_problem_is_a_path_that_explains_it(client: TestClient[Litestar]) -> None:
    listed = client.get("/problems").json()["items"]
    assert [one["code"] for one in listed] == list(KINDS)
    for one in listed:
        answer = client.get(one["type"])
        assert answer.status_code == 200
        assert answer.json() == one
        assert one["remedy"] == KINDS[Code(one["code"])].remedy


def test_errors_carry_the_request_id_that_their_header_has(client: TestClient[Litestar]) -> None:
    unknown = client.get("/problems/no-such", headers={"X-Request-Id": "mine-1"})
    assert unknown.status_code == 404
    assert unknown.json()["code"] == "not-found"
    assert unknown.json()["request_id"] == unknown.headers["x-request-id"] == "mine-1"
    lost = client.get("/nowhere")
    assert (lost.json()["code"], lost.json()["request_id"]) == ("path-unknown", lost.headers["x-request-id"])
    wrong = client.patch("/v1/quotes")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")
    keyless = client.post("/v1/quotes", content=json.dumps({}))
    assert (keyless.status_code, keyless.json()["code"]) == (401, "key-missing")
