"""The OpenAPI document: valid, described, named, and small enough to read."""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import pytest
import yaml
from litestar import get
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import BaseModel

from agent.api.app import openapi_document
from agent.api.component_schemas import Body, NameClashError, component_schemas, public_name
from agent.api.openapi_document import METHODS, document_of
from agent.api.responses.answer import Answer
from agent.domain.fields import Strict

DOCUMENT: Final[dict[str, Any]] = json.loads(openapi_document().json)
SCHEMAS: Final[dict[str, Any]] = DOCUMENT["components"]["schemas"]
OPERATIONS: Final = {
    one["operationId"]: (path, method, one) for path, item in DOCUMENT["paths"].items() for method, one in item.items()
}
MOST_BYTES: Final = 186_000
VERBS: Final = (
    "activate", "approve", "ask", "cancel", "create", "delete", "explain", "get", "list", "preview", "propose", "put",
    "rollBack", "set", "verify",
)  # fmt: skip
KEYWORDS: Final = {
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "discriminator", "enum",
    "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength", "maxProperties",
    "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "oneOf", "pattern", "prefixItems",
    "properties", "propertyNames", "required", "type", "uniqueItems",
}  # fmt: skip


def schemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the document, those inside others too, with its place."""
    if isinstance(node, list):
        for place, one in enumerate(node):
            yield from schemas(one, f"{path}/{place}")
    elif isinstance(node, dict):
        for name, one in node.items():
            if name in ("example", "examples", "value"):
                continue
            if name == "schema" or path == "/components/schemas":
                yield from inside(one, f"{path}/{name}")
            else:
                yield from schemas(one, f"{path}/{name}")


def inside(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(name), dict):
            yield from inside(schema[name], f"{path}/{name}")
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for place, one in enumerate(schema.get(name, ())):
            yield from inside(one, f"{path}/{name}/{place}")
    for name, one in schema.get("properties", {}).items():
        yield from inside(one, f"{path}/properties/{name}")


def test_the_document_is_valid_openapi_3_1() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_the_document_is_small() -> None:
    assert len(openapi_document().json) < MOST_BYTES


def test_schemas_have_only_keywords_of_json_schema() -> None:
    unknown = {(path, keyword) for path, schema in schemas(DOCUMENT) for keyword in set(schema) - KEYWORDS}
    assert not unknown


def test_numbers_are_bounded_by_keywords_that_validators_know() -> None:
    assert SCHEMAS["Money"]["properties"]["amount_minor"]["minimum"] == 0
    assert SCHEMAS["Price"]["properties"]["amount_minor"]["minimum"] == 1
    quantity = SCHEMAS["QuoteRequest"]["properties"]["quantity"]
    assert (quantity["minimum"], quantity["maximum"], quantity["type"]) == (1, 10_000, "integer")


def test_every_component_and_each_of_its_fields_is_described() -> None:
    bare = [
        path
        for path, schema in schemas(DOCUMENT)
        if path.startswith("/components/schemas/")
        and (path.count("/") == 3 or re.search(r"/properties/[^/]+$", path))
        and not schema.get("description", "").strip()
    ]
    assert not bare


def test_fields_are_in_components_alone() -> None:
    inline = [path for path, schema in schemas(DOCUMENT["paths"]) if "properties" in schema]
    assert not inline, "a body of an operation is a named schema, or a list or union of such"


def test_every_operation_parameter_header_and_tag_is_described() -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    for name, (_, _, operation) in OPERATIONS.items():
        assert len(operation["description"]) > 20, name
        assert operation["summary"], name
        assert set(operation["tags"]) <= tags, name
        assert operation["tags"], name
        for parameter in operation.get("parameters", ()):
            assert "$ref" in parameter or parameter["description"], (name, parameter)
    for kind in ("parameters", "headers", "responses", "securitySchemes"):
        for name, one in DOCUMENT["components"][kind].items():
            assert one["description"], (kind, name)
    assert DOCUMENT["info"]["description"]


def test_operations_are_named_by_verb_and_noun() -> None:
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())
    for name in OPERATIONS:
        assert re.fullmatch(rf"({'|'.join(VERBS)})[A-Z][A-Za-z]+", name), name


def test_names_of_schemas_are_plain() -> None:
    for name in SCHEMAS:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
        assert not name.endswith(("Answer", "In", "Out", "Input", "Output")) or name == "IgnoredInput", name


def test_each_operation_names_the_scopes_of_its_key() -> None:
    for name, (path, _, operation) in OPERATIONS.items():
        if path.startswith("/v1/"):
            scopes = [one["apiKey"] for one in operation["security"]]
            assert scopes, name
            for (scope,) in scopes:
                assert f"`{scope}`" in operation["description"].rpartition("Scope: ")[2], name
        else:
            assert "security" not in operation, name


def test_every_post_takes_an_idempotency_key_and_every_answer_has_a_request_id() -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    for name, (_, method, operation) in OPERATIONS.items():
        assert (key in operation.get("parameters", ())) == (method == "post"), name
        for status, answer in operation["responses"].items():
            found = answer
            if "$ref" in answer:
                found = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert found["headers"]["X-Request-Id"] == {"$ref": "#/components/headers/XRequestId"}, (name, status)
            assert ("Location" in found["headers"]) == (status in ("201", "202")), (name, status)
            if status in ("429", "503"):
                assert "Retry-After" in found["headers"], (name, status)


def test_errors_are_shared() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        for status, answer in operation["responses"].items():
            if status.startswith("4"):
                assert list(answer) == ["$ref"], (name, status)
    for response in DOCUMENT["components"]["responses"].values():
        assert response["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_a_body_has_examples_that_say_what_for() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        body = operation.get("requestBody")
        if body is not None:
            first = next(iter(body["content"].values()))
            examples = first["examples"]
            assert examples, name
            assert all(one["summary"] for one in examples.values()), name


def test_a_single_outcome_is_answered_bare_as_declared() -> None:
    answer = OPERATIONS["createOutcomes"][2]["responses"]
    told = json.dumps([answer[status] for status in ("200", "201") if status in answer])
    assert '#/components/schemas/Outcome"' in told
    assert '#/components/schemas/OutcomeResults"' in told


def test_the_context_leaves_further_fields_open_beside_typed_ones() -> None:
    assert SCHEMAS["Context"]["additionalProperties"] is True
    assert {"type": "null"} in SCHEMAS["Context"]["properties"]["at"]["anyOf"]


def test_views_are_told_apart_by_a_field() -> None:
    assert SCHEMAS["ShownQuote"]["discriminator"] == {
        "propertyName": "view",
        "mapping": {"merchant": "#/components/schemas/Quote", "shopper": "#/components/schemas/ShopperQuote"},
    }
    assert set(SCHEMAS["ShopperQuote"]["properties"]) < set(SCHEMAS["Quote"]["properties"])
    assert "from" in SCHEMAS["TrailStep"]["properties"]


def test_answers_require_what_they_always_have() -> None:
    assert set(SCHEMAS["Verification"]["required"]) == set(SCHEMAS["Verification"]["properties"])
    assert SCHEMAS["QuoteRequest"]["required"] == ["product"]


def test_no_component_is_unused() -> None:
    used = set(re.findall(r'"#/components/([a-zA-Z]+/[A-Za-z]+)"', openapi_document().json.decode()))
    kept = {f"{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named}
    assert kept - used == {"securitySchemes/apiKey"}


def test_the_yaml_says_the_same() -> None:
    assert yaml.safe_load(openapi_document().yaml) == DOCUMENT


class _ThingAnswer(Answer, title="Box"):
    """A box."""


class _OtherThing(_ThingAnswer):
    """Inherits a title and has its own name."""


class _Sized(Strict, title="Box"):
    """Another box."""

    size: int


class _Colour(StrEnum):
    """A colour."""

    RED = "red"


def test_a_title_is_the_public_name_of_one_class_alone() -> None:
    assert public_name(_ThingAnswer) == "Box"
    assert public_name(_OtherThing) == "OtherThing"
    with pytest.raises(NameClashError, match="Box"):
        component_schemas([Body(_ThingAnswer, "serialization"), Body(_Sized, "validation")])


def test_a_model_that_is_asked_for_and_answered_is_one_schema() -> None:
    class Both(Strict):
        """Comes and goes."""

        size: int = 1
        colour: _Colour | None = None

    found, named = component_schemas([Body(Both, "validation"), Body(list[Both], "serialization")])
    assert found == [{"$ref": "#/components/schemas/Both"}, {"type": "array", "items": found[0]}]
    assert "required" not in named["Both"]
    assert named["Both"]["properties"]["size"]["default"] == 1


def test_a_route_that_declares_no_operation_is_refused() -> None:
    @get("/nothing", sync_to_thread=False)
    def nothing() -> dict[str, str]:
        return {}

    with pytest.raises(TypeError, match=r"GET /nothing.*operation_class"):
        document_of([nothing])


def test_methods_of_the_document_are_those_that_it_looks_for() -> None:
    assert {method for _, method, _ in OPERATIONS.values()} <= set(METHODS)
    assert issubclass(Answer, BaseModel)
