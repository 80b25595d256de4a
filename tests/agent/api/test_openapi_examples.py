"""Every example of the OpenAPI document is a request that a running service answers as declared."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema_rs import Draft202012Validator
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app, openapi_document
from agent.api.context import CONTEXT
from agent.api.examples import PRODUCT_ID, PRODUCTS, QUOTE_ID, SHOPPER_ID, TOKEN
from agent.service.auth.api_keys import Scope
from tests.prepared import World, open_all

ADMIN: Final = "bootstrap-key-for-examples"
HEADERS: Final = {"Authorization": f"Bearer {ADMIN}"}
DOCUMENT: Final[dict[str, Any]] = json.loads(openapi_document().json)
EXAMPLES: Final = [
    pytest.param(method, path, name, id=f"{operation['operationId']}-{name}")
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    for content in operation.get("requestBody", {"content": {}})["content"].values()
    for name in content.get("examples", ())
]
FILE_KIND: Final = {"kind": "products", "into_demo": "true"}


@dataclass(frozen=True, slots=True)
class Shop:
    """A running service with the examples' product, shopper and quotes."""

    client: TestClient[Litestar]
    another: str

    def post(self, path: str, body: Any, key: str = ADMIN) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        answer = self.client.post(path, content=json.dumps(body), headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def quote(self) -> Any:
        return self.post("/v1/quotes", {"shopper": {"id": SHOPPER_ID}, "product": {"id": PRODUCT_ID}, "quantity": 2})

    def filled(self, path: str, body: str, quote: Any) -> tuple[str, Any]:
        """The path with ids, and the body with a quote of this shop in place of the example's."""
        places = {"quote_id": quote["id"], "shopper_id": SHOPPER_ID, "product_id": PRODUCT_ID}
        if "{version}" in path:
            places["version"] = str(self.version())
        for name, value in places.items():
            path = path.replace("{" + name + "}", value)
        assert "{" not in path, f"the test knows no value for {path}"
        return path, json.loads(body.replace(QUOTE_ID, quote["id"]).replace(TOKEN, quote["token"]))

    def version(self) -> int:
        """A new version of the rules, tighter than what is in effect, which another key proposed."""
        tight = {"document": {"limits": {"max_discount": 0.01}}}
        return int(self.post("/v1/rules/versions", tight, self.another)["version"])


@pytest.fixture(scope="module")
def shop(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    own = world.copy(tmp_path_factory.mktemp("examples") / "data")
    settings = own.settings(bootstrap_key=ADMIN, language_model=False)
    with pytest.MonkeyPatch.context() as patch, TestClient(create_app(settings, open_all)) as client:
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 443))])
        products = next(iter(PRODUCTS.values())).value
        assert client.put("/v1/products", content=json.dumps(products), headers=HEADERS).status_code == 200
        another = client.app.state[CONTEXT].resources.keys.create("another", [Scope.MERCHANT]).text
        yield Shop(client, another)


@pytest.mark.parametrize(("method", "path", "name"), EXAMPLES)
def test_an_example_is_answered_as_declared(method: str, path: str, name: str, shop: Shop) -> None:
    operation = DOCUMENT["paths"][path][method]
    media, content = next(iter(operation["requestBody"]["content"].items()))
    example = content["examples"][name]["value"]
    assert not problems(content["schema"], example)
    if path == "/v1/rules/rollback":
        shop.post(f"/v1/rules/versions/{shop.version()}/activate", {})
    address, body = shop.filled(path, json.dumps(example), shop.quote())
    sent = json.dumps(body) if media == "application/json" else body
    asked = {} if media == "application/json" else FILE_KIND
    answer = shop.client.request(
        method, address, content=sent, params=asked, headers={**HEADERS, "Content-Type": media}
    )
    assert answer.status_code < 300, answer.text
    if answer.status_code == 202:  # a job: of its process other tests tell
        assert shop.client.post(f"{answer.headers['Location']}/cancel", headers=HEADERS).status_code in (200, 409)
    declared = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    assert not problems(declared, answer.json())
    for row in answer.json().get("results", ()):
        assert row["status"] < 300, row
    if operation["operationId"] == "verifyQuote":
        assert answer.json()["status"] == "valid"


def test_readmes_first_request_is_an_example() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    asked = re.search(r"/v1/quotes -H .*? -d '({.*?})'", readme, re.DOTALL)
    assert asked is not None
    examples = DOCUMENT["paths"]["/v1/quotes"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert json.loads(asked[1]) in [one["value"] for one in examples.values()]


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """Violations of a schema of the document."""
    found = Draft202012Validator({**schema, "components": DOCUMENT["components"]}).iter_errors(value)
    return [f"{one.instance_path}: {one.message}" for one in found]
