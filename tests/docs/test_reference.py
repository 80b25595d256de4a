"""Generated pages are what the code says now."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from typer.testing import CliRunner

from agent.asgi import create
from agent.cli.main import app as command_line
from agent.service.auth.api_keys import Scope
from docs.generator.http import METHODS, openapi, scopes_of
from docs.generator.pages import REFERENCE, pages
from tests.docs.markdown import GENERATED
from tests.prepared import World

OPERATIONS = [(method, path) for path, one in openapi()["paths"].items() for method in METHODS if method in one]
SCOPES = (Scope.QUOTES, Scope.OUTCOMES, Scope.MERCHANT, Scope.ADMIN)


@pytest.mark.parametrize("name", GENERATED)
def test_a_committed_page_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == pages()[name], "run: python -m docs.generator"


def test_every_generated_page_is_known() -> None:
    assert set(pages()) == set(GENERATED)


def test_headings_of_the_http_page_are_distinct() -> None:
    headings = re.findall(r"^#+ (.*)$", pages()["http.md"], re.MULTILINE)
    assert len({heading.lower() for heading in headings}) == len(headings), "links would lead to the first"


@pytest.fixture(scope="module")
def keyed(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient[Litestar], Any]]:
    """A running service, and a key for each scope."""
    own = world.copy(tmp_path_factory.mktemp("scopes") / "data")
    keys = {scope: made_key(own, scope) for scope in SCOPES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICESMITH_DATA_DIR", str(own.folder))
        with TestClient(create()) as client:
            yield client, keys


def made_key(world: World, scope: Scope) -> str:
    words = ["keys", "create", scope.value, "--scope", scope.value, "--data-dir", str(world.folder), "--json"]
    done = CliRunner().invoke(command_line, words)
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["key"])


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_an_operation_takes_the_scope_that_its_page_names(
    method: str, path: str, keyed: tuple[TestClient[Litestar], Any]
) -> None:
    client, keys = keyed
    address = re.sub(r"{[^}]*}", "1", path)
    allowed = {}
    for scope in SCOPES:
        answer = client.request(method, address, headers={"Authorization": f"Bearer {keys[scope]}"})
        allowed[scope] = answer.status_code != 403
    needed = scopes_of(openapi()["paths"][path][method])
    expected = {Scope.ADMIN, *map(Scope, needed)} if needed else set(SCOPES)
    assert {scope for scope in SCOPES if allowed[scope]} == expected
    if needed:
        nobody = client.request(method, address)
        assert nobody.status_code == 401
        assert json.loads(nobody.content)["title"] == "Not authenticated"
