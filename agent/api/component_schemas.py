"""JSON Schemas (2020-12) of the models of requests and answers, each once, by its public name.

A model's public name is the title of its own config (`class QuoteAnswer(Answer, title="Quote")`), else the name of its
class without `Answer`; `ENUM_NAMES` names enums whose class goes by another name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from agent.domain.fields import Strict

REFERENCE: Final = "#/components/schemas/"
ENUM_NAMES: Final[Mapping[str, str]] = {
    "Code": "ProblemCode",
    "Lever": "StrategyLever",
    "Rounding": "PriceEnding",
    "Source": "StrategySource",
    "TokenStatus": "VerificationStatus",
}
_SUFFIX: Final = "Answer"

Schema = dict[str, Any]


class NameClashError(Exception):
    """Two schemas have one public name."""


@dataclass(frozen=True, slots=True)
class Body:
    """A type of a request (`validation`) or an answer (`serialization`)."""

    kind: Any
    mode: JsonSchemaMode


def component_schemas(bodies: Sequence[Body]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each body, and the named schemas that these refer to, in alphabetical order.

    Raises:
        NameClashError: Two different schemas have one public name: give one of the classes a title.
    """
    wanted = [(position, body.mode, TypeAdapter(body.kind)) for position, body in enumerate(bodies)]
    found, shared = TypeAdapter.json_schemas(
        wanted, ref_template=REFERENCE + "{model}", schema_generator=_SchemaGenerator
    )
    definitions = shared.get("$defs", {})
    titles = {key: str(schema.pop("title", key)) for key, schema in definitions.items()}
    names = {key: ENUM_NAMES.get(title, title) for key, title in titles.items()}
    named: dict[str, Schema] = {}
    for key, schema in definitions.items():
        made = _rewritten(schema, names) or {"description": "Any JSON value."}
        if named.setdefault(names[key], made) != made:
            raise NameClashError(f"two schemas are named {names[key]!r}; remedy: a title in the config of one class")
    schemas = [_rewritten(found[position, body.mode], names) for position, body in enumerate(bodies)]
    return schemas, dict(sorted(named.items()))


def public_name(model: type[BaseModel]) -> str:
    """The name of a model in the OpenAPI document."""
    title = model.model_config.get("title")
    if title and all(getattr(base, "model_config", {}).get("title") != title for base in model.__mro__[1:]):
        return title
    return model.__name__.lstrip("_").removesuffix(_SUFFIX)


def query_parameters(model: type[BaseModel]) -> list[Schema]:
    """The fields of a model as query parameters; a parameter is left out rather than null."""
    document = model.model_json_schema()
    definitions, needed = document.get("$defs", {}), document.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            **({"required": True} if name in needed else {}),
            "description": field.get("description", ""),
            "schema": _plain(field, definitions),
        }
        for name, field in document["properties"].items()
    ]


def _plain(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The schema of a field's value, without references, null and description."""
    kinds = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    schema: Schema = dict(kinds[0])
    if "$ref" in schema:
        schema = dict(definitions[schema["$ref"].rsplit("/", 1)[-1]])
    kept = {key: value for key, value in schema.items() if key not in ("title", "description", "default")}
    if field.get("default") not in (None, []):
        kept["default"] = field["default"]
    return kept


class _SchemaGenerator(GenerateJsonSchema):
    """Schemas without titles of fields; what an answer always has is required in it, even if it has a default."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._models: list[type[BaseModel]] = []

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        self._models.append(schema["cls"])
        try:
            made = super().model_schema(schema)
        finally:
            self._models.pop()
        made["title"] = public_name(schema["cls"])
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        return self._in_answer() or super().field_is_required(field, total)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Name a default that is a number, a word or true; that of an answer, null and empty ones say nothing."""
        made = super().default_schema(schema)
        if self._in_answer() or not isinstance(made.get("default"), int | float | str) or made["default"] == "":
            made.pop("default", None)
        return made

    def _in_answer(self) -> bool:
        return self.mode == "serialization" and bool(self._models) and not issubclass(self._models[-1], Strict)


def _rewritten(node: Any, names: Mapping[str, str]) -> Any:
    """A schema with its references by public name."""
    if isinstance(node, list):
        return [_rewritten(one, names) for one in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            made[key] = REFERENCE + names[value.removeprefix(REFERENCE)]
        elif key == "mapping" and isinstance(value, dict):
            made[key] = {tag: _rewritten({"$ref": target}, names)["$ref"] for tag, target in value.items()}
        else:
            made[key] = _rewritten(value, names)
    return made
