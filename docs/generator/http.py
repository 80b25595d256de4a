"""The page of HTTP operations, from the app's OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.asgi import create
from docs.generator.markdown import table

METHODS: Final = ("get", "post", "put", "delete")
_TAGS: Final = ("quotes", "recommendations", "outcomes", "events", "products", "explanations", "rules", "shoppers")
_TAGS_LAST: Final = ("webhooks", "operations")
_MONEY: Final = {"amount_minor", "currency"}
_INTERVAL: Final = {"value", "low", "high"}
_TOLD: Final = {
    "QuoteAnswer": "quote, as `POST /v1/quotes` answers",
    "ShopperQuoteAnswer": "quote, as `POST /v1/quotes` answers",
    "QuoteRequest": "body of `POST /v1/quotes`",
}
_PLAIN: Final = {"integer": "whole number", "string": "text", "boolean": "true or false", "object": "object"}
_BOUNDS: Final = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)
_UNBOUNDED: Final = 1e15
_INTRO: Final = """# HTTP

The service answers JSON. `/schema` shows this reference in a browser; `/schema/openapi.json` is the OpenAPI 3.1
document that this page is made of.

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

**Lists** answer `{"items", "has_more", "next"}`: at most `limit` rows (1 to 200, by default 50), and a cursor. Send
`next` back as `after`, with the same filters, for the next page. Rows that are added meanwhile shift nothing: no row
comes twice, and none that stood from the first page on is left out. Quotes, outcomes and events come newest first,
products and shoppers by id. `from` is included, `until` is not. **Query parameters** that an operation does not have
are refused, not ignored.

**What is created** is answered with 201 and its path in `Location`. Answers may be sent back: a product, a shopper's
row, a version of the rules, an amount with its `fraction_digits`.

**HEAD** is answered wherever GET is. **Answers** of 1,000 bytes and more are compressed (gzip) where `Accept-Encoding`
allows it, streams are not. **Bodies** are sent uncompressed, without `Content-Encoding`. **Browsers** may ask where
[`PRICESMITH_CORS_ORIGINS`](settings.md) names the page's origin, with a
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
    by_tag: dict[str, list[str]] = {}
    for path, methods in sorted(openapi()["paths"].items()):
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                by_tag.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    order = [*_TAGS, *sorted(set(by_tag) - {*_TAGS, *_TAGS_LAST}), *_TAGS_LAST]
    parts = [f"## {tag.capitalize()}\n\n" + "\n\n".join(by_tag[tag]) for tag in order if tag in by_tag]
    return "\n\n".join([_INTRO, *parts]) + "\n"


def openapi() -> dict[str, Any]:
    """The app's OpenAPI document; no model is loaded for it."""
    document: dict[str, Any] = create().openapi_schema.to_schema()
    return document


def scopes_of(operation: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes of which a key needs one for an operation; none where no key is needed."""
    return tuple(scope for one in operation.get("security") or () for scope in one["apiKey"])


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """One operation as a section."""
    scopes = " or ".join(f"`{scope}`" for scope in scopes_of(operation))
    told = operation.get("description") or operation.get("summary", "")
    parts = [f"### {method.upper()} {path}", told, f"Scope: {scopes}." if scopes else "Needs no key."]
    asked = [
        (f"`{one['name']}` ({one['in']})", _taken(one.get("schema", {})), one.get("description", ""))
        for one in operation.get("parameters") or []
    ]
    if asked:
        parts.append(table(("parameter", "takes", "meaning"), asked))
    body = (operation.get("requestBody") or {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        many = any(one.get("type") == "array" for one in _alternatives(body))
        parts.append("Body, one object or a list of them:" if many else "Body:")
        rows = [(f"`{name}`", _taken(field), "yes" if needed else "") for name, field, needed in _fields(body)]
        parts.append(table(("field", "takes", "required"), rows))
    done = next(status for status in operation["responses"] if status.startswith("2"))
    content = operation["responses"][done].get("content", {})
    answered = list(_fields(content.get("application/json", {}).get("schema", {})))
    if answered:
        parts += ["Answer:", table(("field", "holds"), [(f"`{name}`", _taken(field)) for name, field, _ in answered])]
    others = [name for name in content if name != "application/json"]
    if others:
        parts.append(("Also as " if answered else "Answers ") + ", ".join(f"`{name}`" for name in others) + ".")
    errors = [status for status in operation["responses"] if not status.startswith("2")]
    if errors:
        parts.append(f"Errors: {', '.join(errors)}.")
    return "\n\n".join(parts)


def _fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Fields of an object, of a list's items and of each alternative, by dotted name, each name once."""
    seen = set()
    for one in _walk(schema, prefix):
        if one[0] not in seen:
            seen.add(one[0])
            yield one


def _walk(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for one in _alternatives(schema):
        if one.get("type") == "array":
            yield from _walk(one.get("items", {}), prefix)
            continue
        properties = one.get("properties", {})
        if _is_shared(properties) or (prefix and one.get("title") in _TOLD):
            continue
        for name, field in properties.items():
            yield f"{prefix}{name}", field, name in one.get("required", ())
            for part in _alternatives(field):
                end = "[]." if part.get("type") == "array" else "."
                yield from _walk(part, f"{prefix}{name}{end}")


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = schema.get("anyOf") or schema.get("oneOf")
    return [deep for one in found for deep in _alternatives(one)] if found else [schema]


def _is_shared(properties: Mapping[str, Any]) -> bool:
    """Whether an object is money or an interval, which the introduction tells once."""
    return set(properties) >= _MONEY or set(properties) == _INTERVAL


def _taken(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, null last."""
    kinds = list(dict.fromkeys(_kind(one) for one in _alternatives(schema)))
    return " or ".join(sorted(kinds, key=lambda kind: kind == "null"))


def _kind(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties", {})
    if _is_shared(properties):
        return "interval" if set(properties) == _INTERVAL else "money"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any JSON"))
    if kind == "array":
        return f"list of at most {schema['maxItems']:,}" if "maxItems" in schema else "list"
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("title") in _TOLD:
        return _TOLD[schema["title"]]
    limits = [(text, schema[sign]) for sign, text in _BOUNDS if isinstance(schema.get(sign), int | float)]
    bounds = [f"{text} {limit:,}" for text, limit in limits if abs(limit) < _UNBOUNDED]
    bounds += [f"at most {schema['maxLength']:,} characters"] if "maxLength" in schema else []
    return _PLAIN.get(kind, kind) + (f" ({', '.join(bounds)})" if bounds else "")
