"""The page of HTTP operations, from the app's OpenAPI document."""

import json
from collections.abc import Mapping
from typing import Any, Final

from agent.api.app import openapi_document
from docs.generator.markdown import table

METHODS: Final = ("get", "post", "put", "delete")
JSON: Final = "application/json"
_PLAIN: Final = {"integer": "whole number", "string": "text", "boolean": "true or false", "object": "object"}
_BOUNDS: Final = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)
_UNBOUNDED: Final = 1e9
_REFERENCE: Final = "#/components/schemas/"
_LINE: Final = 110
_INTRO: Final = """# HTTP

The service answers JSON. `/schema` shows this reference in a browser, without a network too; `/schema/openapi.json` is
the OpenAPI 3.1 document that this page is made of, and `python -m docs.generator.openapi` writes it without a server.

**Keys.** Send `Authorization: Bearer KEY`. Each operation names the scope that its key needs; `admin` may do
everything. [`pricesmith keys create`](commands.md#pricesmith-keys-create) makes keys.

**Money** is `{"amount_minor": 279, "currency": "USD"}`: a whole number of the currency's smallest unit (ISO 4217).
Answers add `fraction_digits`. All money of one request is in one currency. **Times** are RFC 3339 with a zone. An
**interval** is `{"value": ..., "low": ..., "high": ...}`; the truth lies between `low` and `high` in 90 % of cases.

**Ids** of shoppers, products, quotes and outcomes have 1 to 200 characters. They are read in one form everywhere, in
bodies, paths, files and commands: composed (Unicode NFC), without invisible characters and outer white space. Line
breaks, tabs, control and private-use characters are refused. In a path an id is percent-encoded as UTF-8, its slashes
too: `auth0|5f/7a` is `/v1/shoppers/auth0%7C5f%2F7a`. **Texts** keep every visible character, new emoji too, and those
joiners and variation selectors that a script or an emoji needs; other invisible characters are dropped, control
characters refused. **Times** of events and outcomes lie at most one day ahead.

**Headers.** Every answer has `X-Request-Id`, the id of the request in the log: the one that was sent where it is
well-formed. 429 and 503 have `Retry-After`, in seconds.

**Lists** answer `{"items", "has_more", "next"}`: at most `limit` rows (1 to 200, by default 50), and a cursor. Send
`next` back as `after`, with the same filters, for the next page. Rows that are added meanwhile shift nothing: no row
comes twice, and none that stood from the first page on is left out. Quotes, outcomes, events and jobs come newest
first, products and shoppers by id. `from` is included, `until` is not. **Query parameters** that an operation does not
have are refused, not ignored.

**What is created** is answered with 201 and its path in `Location`. Answers may be sent back: a product, a shopper's
row, a version of the rules, an amount with its `fraction_digits`.

**HEAD** is answered wherever GET is. **Answers** of 1,000 bytes and more are compressed (gzip) where `Accept-Encoding`
allows it, streams are not. **Bodies** are sent uncompressed, without `Content-Encoding`, but for files to import.
**Browsers** may ask where [`PRICESMITH_CORS_ORIGINS`](settings.md) names the page's origin, with a
[publishable key](../guides/product-page.md#ask-from-the-browser).

**Views.** A quote is answered in the view of its reader. `view=shopper` has `id`, `at`, `product_id`, `shopper_id`,
`quantity`, `price`, `reference_price`, `list_price`, `personalised`, `disclosure`, `valid_until` and `token`, but
nothing that your cost could be computed from. `view=merchant` has all fields below and needs the scope `merchant`.
Without `view` a key gets the most that it may see. That holds for single quotes, batches, recommendations and recorded
quotes.

**Repeating a POST.** With an `Idempotency-Key` header (1 to 255 printable characters) the same request gets the same
answer for 24 hours, marked `Idempotency-Replayed: true`. Another request under that key gets 422. While the first one
is being answered, the second gets 409.

**Errors** are problem details (RFC 9457), `application/problem+json`: `type`, `code`, `title`, `status`, `detail`,
`request_id` and `errors`, a list of `{"field", "message", "received", "allowed"}`. [Problems](problems.md) lists every
`code` with its status, its meaning and what to do. After 429 and 503 wait for `Retry-After`; after any other error the
same request fails again."""


def http_page() -> str:
    """The page's text."""
    document = openapi()
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in sorted(document["paths"].items()):
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                by_tag[operation["tags"][0]].append(_operation(method, path, operation))
    told = {tag["name"]: tag["description"] for tag in document["tags"]}
    parts = [f"## {tag.capitalize()}\n\n{told[tag]}\n\n" + "\n\n".join(found) for tag, found in by_tag.items()]
    schemas = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n\n".join([_INTRO, *parts, "## Schemas", *schemas]) + "\n"


def openapi() -> dict[str, Any]:
    """The app's OpenAPI document; no model is loaded for it."""
    document: dict[str, Any] = json.loads(openapi_document().json)
    return document


def scopes_of(operation: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes of which a key needs one for an operation; none where no key is needed."""
    return tuple(scope for one in operation.get("security", ()) for scope in one["apiKey"])


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """One operation as a section."""
    parts = [f"### {method.upper()} {path}", operation["description"], f"Operation id: `{operation['operationId']}`."]
    asked = [one for one in operation.get("parameters", ()) if "$ref" not in one]  # shared ones are told above
    if asked:
        rows = [(f"`{one['name']}` ({one['in']})", _taken(one["schema"]), one["description"]) for one in asked]
        parts.append(table(("parameter", "takes", "meaning"), rows))
    body = operation.get("requestBody", {}).get("content", {}).get(JSON)
    if body:
        parts.append(f"Body: {_taken(body['schema'])}.")
        example = next(iter(body.get("examples", {}).values()), None)
        if example is not None:
            parts.append(f"{example['summary']}:\n\n```json\n{_example(example['value'])}\n```")
    errors = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            errors.append(status)
        else:
            parts.append(_answered(status, answer))
    if errors:
        parts.append(f"Errors: {', '.join(errors)}.")
    return "\n\n".join(parts)


def _answered(status: str, answer: Mapping[str, Any]) -> str:
    """Write the answers of a status, by media type; the headers of all answers are told in the introduction."""
    kinds = [
        _taken(content["schema"]) if media == JSON else f"`{media}`"
        for media, content in answer.get("content", {}).items()
    ]
    located = "; `Location` has its path" if "Location" in answer.get("headers", {}) else ""
    return f"Answer {status}: {' or '.join(kinds)}{located}."


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    """One named schema as a section."""
    parts = [f"### {name}", str(schema["description"])]
    required = schema.get("required", ())
    rows = [
        (f"`{field}`", _taken(one), "yes" if field in required else "", one["description"])
        for field, one in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append(table(("field", "holds", "always", "meaning"), rows))
    elif schema.keys() - {"description"}:
        parts.append(f"{_taken(schema)}.")
    return "\n\n".join(parts)


def _example(value: Any, indent: str = "") -> str:
    """A value as JSON; what fits stays on one line."""
    written = json.dumps(value, ensure_ascii=False)
    if len(indent + written) <= _LINE or not isinstance(value, dict | list):
        return written
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(name)}: {_example(one, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _example(one, inner) for one in value) + f"\n{indent}]"


def _taken(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, null last."""
    found = schema.get("anyOf") or schema.get("oneOf") or [schema]
    kinds = list(dict.fromkeys(_kind(one) for one in found))
    return " or ".join(sorted(kinds, key=lambda kind: kind == "null"))


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any JSON"))
    if kind == "array":
        most = f" (at most {schema['maxItems']:,})" if "maxItems" in schema else ""
        return f"list of {_taken(schema['items'])}{most}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object, by name: {_taken(schema['additionalProperties'])}"
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("format") == "date":
        return "date"
    limits = [(text, schema[sign]) for sign, text in _BOUNDS if sign in schema]
    bounds = [f"{text} {limit:,}" for text, limit in limits if abs(limit) < _UNBOUNDED]
    bounds += [f"at most {schema['maxLength']:,} characters"] if "maxLength" in schema else []
    return _PLAIN.get(kind, kind) + (f" ({', '.join(bounds)})" if bounds else "")
