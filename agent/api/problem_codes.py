"""Problem codes: one stable word for each kind of fault, with its status, meaning and remedy.

A code never changes its meaning. Clients branch on it; `/problems/{code}` and the reference page show this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TYPES: Final = "/problems/"
"""Start of the URI references that identify problem types."""


class Code(StrEnum):
    """Kind of a fault."""

    BODY_EMPTY = "body-empty"
    BODY_MALFORMED = "body-malformed"
    KEY_MISSING = "key-missing"
    KEY_UNKNOWN = "key-unknown"
    SCOPE_MISSING = "scope-missing"
    VIEW_NOT_ALLOWED = "view-not-allowed"
    PUBLISHABLE_KEY_LIMITED = "publishable-key-limited"
    ORIGIN_NOT_ALLOWED = "origin-not-allowed"
    OTHER_MERCHANT = "other-merchant"
    APPROVAL_NEEDED = "approval-needed"
    NOT_FOUND = "not-found"
    PATH_UNKNOWN = "path-unknown"
    QUOTE_UNKNOWN = "quote-unknown"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CONFLICT = "conflict"
    OUTCOME_CONFLICT = "outcome-conflict"
    IDEMPOTENCY_IN_FLIGHT = "idempotency-in-flight"
    BODY_TOO_LARGE = "body-too-large"
    BODY_COMPRESSED = "body-compressed"
    MEDIA_TYPE_UNSUPPORTED = "media-type-unsupported"
    FIELDS_INVALID = "fields-invalid"
    PARAMETER_INVALID = "parameter-invalid"
    PARAMETER_UNKNOWN = "parameter-unknown"
    CURSOR_INVALID = "cursor-invalid"
    PATH_INVALID = "path-invalid"
    NOT_STORABLE = "not-storable"
    IDEMPOTENCY_KEY_MALFORMED = "idempotency-key-malformed"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    LIMITS_CONTRADICT = "limits-contradict"
    NOT_PRICEABLE = "not-priceable"
    EVENTS_INVALID = "events-invalid"
    OUTCOME_INVALID = "outcome-invalid"
    RULES_INVALID = "rules-invalid"
    WEBHOOK_ADDRESS_REFUSED = "webhook-address-refused"
    TOO_MANY_WEBHOOKS = "too-many-webhooks"
    RATE_LIMITED = "rate-limited"
    INTERNAL_ERROR = "internal-error"
    NOT_AVAILABLE = "not-available"
    SHOPPER_BUSY = "shopper-busy"
    QUEUE_FULL = "queue-full"
    STOPPING = "stopping"
    STORE_UNAVAILABLE = "store-unavailable"
    STORE_FAILED = "store-failed"
    UPLOAD_MALFORMED = "upload-malformed"
    WRONG_STORE = "wrong-store"
    JOB_ENDED = "job-ended"
    VERSION_EXISTS = "version-exists"
    TOO_MANY_JOBS = "too-many-jobs"
    DISK_FULL = "disk-full"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: the status it is answered with, its title, what it means and what the sender can do."""

    status: int
    title: str
    meaning: str
    remedy: str


_RETRY: Final = "Wait as long as `Retry-After` says, then send the request again under the same `Idempotency-Key`."
_OPERATOR: Final = "Tell the operator the `request_id`: the service's log has the cause under it."

KINDS: Final[Mapping[Code, Kind]] = {
    Code.BODY_EMPTY: Kind(
        400, "Malformed request", "The request has no body where one is needed.", "Send a JSON document."
    ),
    Code.BODY_MALFORMED: Kind(
        400,
        "Malformed request",
        "The body is not strict JSON in UTF-8: no name twice in an object, no NaN or Infinity, at most 32 levels deep.",
        "Correct the JSON; `detail` names line and column where they are known.",
    ),
    Code.KEY_MISSING: Kind(
        401, "Not authenticated", "The request has no API key.", "Send `Authorization: Bearer KEY`."
    ),
    Code.KEY_UNKNOWN: Kind(
        401,
        "Not authenticated",
        "The API key is unknown, expired or revoked; which of these is not told.",
        "Use a live key: `pricesmith keys list` shows all, `pricesmith keys create NAME` makes one.",
    ),
    Code.SCOPE_MISSING: Kind(
        403, "Not allowed", "The key lacks the scope that this operation needs.", "Use a key with the scope named."
    ),
    Code.VIEW_NOT_ALLOWED: Kind(
        403,
        "Not allowed",
        "The merchant's view or the candidates are asked for with a key that may see the shopper's view alone.",
        "Leave out `view` and `include`, or use a key with the scopes `quotes` and `merchant`.",
    ),
    Code.PUBLISHABLE_KEY_LIMITED: Kind(
        403,
        "Not allowed",
        "A publishable key, which anybody can read in a page, was used for more than such a key may do.",
        "Send this request from your own server with a secret key, or leave out the fields that `errors` names.",
    ),
    Code.ORIGIN_NOT_ALLOWED: Kind(
        403,
        "Not allowed",
        "A page of this origin may not ask: the origin is not among the publishable key's, or not in the setting "
        "`PRICESMITH_CORS_ORIGINS`.",
        "Add the origin to the setting, and create a key with `--publishable --origin ORIGIN`.",
    ),
    Code.OTHER_MERCHANT: Kind(
        403,
        "Not allowed",
        "The address has the default merchant's data, and the key belongs to another merchant.",
        "Use the address named in `detail`.",
    ),
    Code.APPROVAL_NEEDED: Kind(
        403,
        "Not allowed",
        "A version of the rules loosens a limit, and no other key has approved it.",
        "Let another key approve the version, then activate it.",
    ),
    Code.NOT_FOUND: Kind(
        404, "Not found", "Nothing has the id in the path, or it was erased.", "Check the id; lists show those in use."
    ),
    Code.PATH_UNKNOWN: Kind(404, "Not found", "The service has no such path.", "See `/schema` for all paths."),
    Code.QUOTE_UNKNOWN: Kind(
        404, "Unknown quote", "An outcome names a quote that does not exist.", "Send the `id` of a quote's answer."
    ),
    Code.METHOD_NOT_ALLOWED: Kind(
        405, "Method not allowed", "The path does not take this method.", "Use a method that `Allow` names."
    ),
    Code.CONFLICT: Kind(
        409, "Conflict", "The request does not fit the present state of what it changes.", "Read the state again."
    ),
    Code.OUTCOME_CONFLICT: Kind(
        409,
        "Impossible outcome",
        "The outcome cannot follow those stored of its quote, such as a return without a purchase.",
        "Read the quote's outcomes; a different outcome needs an `outcome_id` of its own.",
    ),
    Code.IDEMPOTENCY_IN_FLIGHT: Kind(
        409, "Conflict", "A request with this idempotency key is still being answered.", _RETRY
    ),
    Code.BODY_TOO_LARGE: Kind(
        413,
        "Body too large",
        "The body is larger than the setting `PRICESMITH_BODY_LIMIT_BYTES` allows.",
        "Send fewer rows in one request.",
    ),
    Code.BODY_COMPRESSED: Kind(
        415,
        "Unsupported media type",
        "The body is compressed; requests are read uncompressed, answers may be compressed.",
        "Send the body without `Content-Encoding`.",
    ),
    Code.MEDIA_TYPE_UNSUPPORTED: Kind(
        415,
        "Unsupported media type",
        "The body is of another type than JSON.",
        "Send `Content-Type: application/json`.",
    ),
    Code.FIELDS_INVALID: Kind(
        422,
        "Invalid request",
        "Fields of the body are missing, unknown or out of range.",
        "Correct the fields that `errors` names; each says what is allowed.",
    ),
    Code.PARAMETER_INVALID: Kind(
        422, "Invalid request", "A query parameter has a value that is not allowed.", "Use a value that `errors` names."
    ),
    Code.PARAMETER_UNKNOWN: Kind(
        422,
        "Invalid request",
        "The operation has no query parameter of this name; it is refused rather than ignored.",
        "Correct the name, or leave it out.",
    ),
    Code.CURSOR_INVALID: Kind(
        422,
        "Invalid request",
        "`after` is not a cursor of this list, or was made with other filters.",
        "Send `next` of the page before with the same filters, or begin without `after`.",
    ),
    Code.PATH_INVALID: Kind(
        422,
        "Invalid request",
        "A part of the path is not an id or a number as it must be.",
        "Send 1 to 200 visible characters, percent-encoded as UTF-8.",
    ),
    Code.NOT_STORABLE: Kind(
        422,
        "Invalid request",
        "A value cannot be stored: a text with a half character, or a number that is not finite.",
        "Correct the value.",
    ),
    Code.IDEMPOTENCY_KEY_MALFORMED: Kind(
        422,
        "Invalid request",
        "The idempotency key is empty, too long or not printable.",
        "Send 1 to 255 printable characters.",
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Kind(
        422, "Invalid request", "The idempotency key was used for another request.", "Use a new key for a new request."
    ),
    Code.LIMITS_CONTRADICT: Kind(
        422,
        "Invalid request",
        "Limits of a product exclude each other, or its amounts are in several currencies.",
        "Correct one of the fields that `errors` names.",
    ),
    Code.NOT_PRICEABLE: Kind(
        422,
        "Request cannot be priced",
        "The product is unknown and not described, or amounts are in another currency than it is.",
        "Send the id of a known product, or a `list_price` with a description.",
    ),
    Code.EVENTS_INVALID: Kind(
        422,
        "Invalid events",
        "Events lie in the future, or have prices in another currency than their product; none was stored.",
        "Correct the events that `errors` names, and send the list again.",
    ),
    Code.OUTCOME_INVALID: Kind(
        422,
        "Invalid outcome",
        "The outcome has more units than were quoted, or a time that cannot be.",
        "Correct the field that `errors` names.",
    ),
    Code.RULES_INVALID: Kind(
        422,
        "Invalid request",
        "The rules cannot be stored, activated or rolled back as asked.",
        "Follow `detail`; `GET /v1/rules/versions` shows versions and activations.",
    ),
    Code.WEBHOOK_ADDRESS_REFUSED: Kind(
        422,
        "Invalid request",
        "A webhook's address is not an https address on the public internet.",
        "Use such an address.",
    ),
    Code.TOO_MANY_WEBHOOKS: Kind(
        422, "Invalid request", "The merchant has as many webhooks as are allowed.", "Remove one first."
    ),
    Code.RATE_LIMITED: Kind(429, "Too many requests", "The key's requests of this minute are used up.", _RETRY),
    Code.INTERNAL_ERROR: Kind(500, "Internal error", "The service failed.", _OPERATOR),
    Code.NOT_AVAILABLE: Kind(503, "Not available", "The service cannot answer now.", _RETRY),
    Code.SHOPPER_BUSY: Kind(
        503,
        "Not available",
        "Other requests price the same product for the same shopper at this moment.",
        _RETRY,
    ),
    Code.QUEUE_FULL: Kind(
        503, "Not available", "More quotes wait than the setting `PRICESMITH_QUEUE_LIMIT` allows.", _RETRY
    ),
    Code.STOPPING: Kind(503, "Not available", "The process stops and takes no more quotes.", _RETRY),
    Code.STORE_UNAVAILABLE: Kind(503, "Not available", "The database does not answer.", _RETRY),
    Code.STORE_FAILED: Kind(503, "Not available", "The database refused a statement.", _OPERATOR),
    Code.UPLOAD_MALFORMED: Kind(
        400,
        "Malformed request",
        "The upload was cut off, or the form around the file is malformed.",
        "Send the file again, as the body or as the field `file` of a form.",
    ),
    Code.WRONG_STORE: Kind(
        409,
        "Conflict",
        "The store holds the demo's data, and own data was sent; they are never mixed by accident.",
        "Make a shop of your own with `pricesmith init`, or import with `into_demo`.",
    ),
    Code.JOB_ENDED: Kind(
        409, "Conflict", "The job is done or has failed, so that it cannot be cancelled.", "Read the job's result."
    ),
    Code.VERSION_EXISTS: Kind(
        422,
        "Invalid request",
        "A model version has the name that was asked for.",
        "Give a new name, or none to get one from the time.",
    ),
    Code.TOO_MANY_JOBS: Kind(
        429, "Too many requests", "As many jobs wait as are allowed.", "Try again when some have ended, or cancel some."
    ),
    Code.DISK_FULL: Kind(
        507,
        "Out of storage",
        "The disk of the data folder has no room for the upload.",
        "Free space in the data folder, then send the file again.",
    ),
}

BY_STATUS: Final[Mapping[int, Code]] = {
    400: Code.BODY_MALFORMED,
    401: Code.KEY_UNKNOWN,
    403: Code.SCOPE_MISSING,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    409: Code.CONFLICT,
    413: Code.BODY_TOO_LARGE,
    415: Code.MEDIA_TYPE_UNSUPPORTED,
    422: Code.FIELDS_INVALID,
    429: Code.RATE_LIMITED,
    500: Code.INTERNAL_ERROR,
    503: Code.NOT_AVAILABLE,
    507: Code.DISK_FULL,
}
"""The code of an error of the web framework, which has a status alone."""
