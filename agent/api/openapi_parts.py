"""Parts of the OpenAPI document that operations share: introduction, tags, parameters, headers, errors."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from agent.api.problems import PROBLEM_JSON, TITLES

INFO: Final[dict[str, str]] = {
    "title": "Pricesmith",
    "version": "1.0",
    "summary": "Prices for one shopper, one product, one moment, within the merchant's limits and with reasons.",
    "description": (
        "Send an API key as `Authorization: Bearer KEY`; each operation names the scope that its key needs, and "
        "`admin` may do everything. Money is a whole number of the currency's smallest unit (ISO 4217): "
        '`{"amount_minor": 279, "currency": "USD"}` is 2.79 USD. Times are RFC 3339 with a zone. Errors are problem '
        "details (RFC 9457). HEAD is answered wherever GET is."
    ),
}
TAGS: Final = {
    "quotes": "Prices: make, read, verify, and the reasons for one.",
    "recommendations": "Products for a shopper, each priced.",
    "outcomes": "Whether shoppers bought at the price that they were shown; prices are learned from it.",
    "events": "Behaviour of shoppers: views, searches, carts, purchases.",
    "products": "The catalogue.",
    "explanations": "Questions in words about one quote or about many.",
    "rules": "Limits, weights and exploration as versions: propose, preview, approve, activate, roll back. The switch "
    "that holds all prices.",
    "shoppers": "Data of one shopper: consent, export, erasure.",
    "imports": "Files of products, events or outcomes, imported as jobs.",
    "trainings": "Training on the merchant's own data, as jobs.",
    "jobs": "Long work: started, followed, cancelled.",
    "webhooks": "Addresses to which signed messages are sent.",
    "operations": "Health, metrics and public keys, for operators.",
}
DONE: Final = {200: "OK", 201: "Created", 202: "Accepted"}
SECURITY_SCHEMES: Final = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made by the command `pricesmith keys create NAME --scope SCOPE`. The scopes listed "
        "with an operation are alternatives: a key needs one of them, or `admin`.",
    }
}
REQUEST_ID_HEADER: Final = {"$ref": "#/components/headers/XRequestId"}
REPLAYED_HEADER: Final = {"$ref": "#/components/headers/IdempotencyReplayed"}
IDEMPOTENCY_PARAMETER: Final = {"$ref": "#/components/parameters/IdempotencyKey"}
PARAMETERS: Final = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Makes the request safe to repeat: for 24 hours the same request under this key gets the same "
        "answer and nothing is done twice. Another request under it gets 422; while the first one is being answered, "
        "409. A new UUID for each new request is a good key.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
    }
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "XRequestId": {
        "description": "Id of the request in the server's log: the one sent as X-Request-Id where it is "
        "well-formed (1 to 64 letters, digits and `._~:-`), else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~:-]{1,64}$"},
    },
    "RetryAfter": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Location": {
        "description": "Path of what was created.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "IdempotencyReplayed": {
        "description": "`true` where the answer is a replay of the first one under this idempotency key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WwwAuthenticate": {
        "description": "How to authenticate: `Bearer`.",
        "required": True,
        "schema": {"type": "string"},
    },
}
_RETRIED: Final = (409, 429, 503)
_KEPT: Final = (400, 403, 404, 409, 413, 415, 422)  # answers that an idempotency key replays
_MEANINGS: Final = {
    400: "The body is not JSON; `detail` names line and column.",
    401: "There is no API key, or it is unknown, expired or revoked.",
    403: "The key lacks the scope, or may not do this.",
    404: "There is no such thing, or this key's merchant has none.",
    409: "It conflicts with what is stored, or a request with this idempotency key is being answered.",
    413: "The body is larger than the server allows.",
    415: "The content type is not JSON, or the body is compressed.",
    422: "A field is not acceptable; `errors` has one entry a field. The same request fails again.",
    429: "The key's rate limit is used up, or as many jobs wait as are allowed.",
    503: "Too many requests wait, the store does not answer, or the service stops. Try again.",
}


def error_name(status: int) -> str:
    """The name of an error in `components/responses`."""
    words = TITLES.get(status) or HTTPStatus(status).phrase
    return "".join(word.capitalize() for word in words.split())


def error_responses(statuses: Iterable[int], problem: dict[str, Any]) -> dict[str, Any]:
    """Error responses by name; `problem` is the schema of their body."""
    return {error_name(status): _error_response(status, problem) for status in statuses}


def _error_response(status: int, problem: dict[str, Any]) -> dict[str, Any]:
    named = {"X-Request-Id": REQUEST_ID_HEADER}
    if status == 401:
        named["WWW-Authenticate"] = {"$ref": "#/components/headers/WwwAuthenticate"}
    if status in _RETRIED:
        named["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    if status in _KEPT:
        named["Idempotency-Replayed"] = REPLAYED_HEADER
    meaning = _MEANINGS.get(status, HTTPStatus(status).phrase + ".")
    return {"description": meaning, "headers": named, "content": {PROBLEM_JSON: {"schema": problem}}}


def headers_of(written: str) -> dict[str, Any]:
    """Response headers by component name, as far as the written part of the document refers to them."""
    return {name: header for name, header in _HEADERS.items() if f"#/components/headers/{name}" in written}
