"""Batches of quote requests: each row is validated on its own, so that a bad row fails alone.

Rows that name a product of the catalogue and no more are copies of the fields that all rows share, validated once.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from agent.api.body import validate
from agent.api.context import AppContext
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.schemas import BatchItem, SharedBatch
from agent.domain.decision import Decision
from agent.domain.fields import MAX_QUANTITY, Strict, normal_id
from agent.domain.refusal import FieldProblem, Refusal
from agent.domain.request import MAX_BATCH, QuoteRequest

_QUOTE: Final = TypeAdapter(QuoteRequest)
_SHARED: Final = TypeAdapter(SharedBatch)
_PLAIN: Final = frozenset({"product", "quantity"})


class QuotesBatch(Strict):
    """Quote requests of any kind."""

    quotes: Annotated[list[QuoteRequest], Field(min_length=1, max_length=MAX_BATCH)]
    """The requests."""


class ProductsBatch(SharedBatch):
    """Products for one shopper in one situation."""

    items: Annotated[list[BatchItem], Field(min_length=1, max_length=MAX_BATCH)]
    """The products."""


BatchRequest = QuotesBatch | ProductsBatch


def batch_rows(value: Any) -> list[QuoteRequest | Problem]:
    """Parse a batch; returns one request or problem a row.

    Raises:
        Problem: 422, when the batch as a whole is invalid: neither `quotes` nor `items`, too many rows, bad shared
            fields.
    """
    if not isinstance(value, dict) or ("quotes" in value) == ("items" in value):
        problem = FieldProblem(
            "body", "needs either quotes or items", "", "{quotes: [...]} or {items: [...], shopper, ...}"
        )
        raise _invalid("a batch needs either quotes or items, not both", problem)
    name = "quotes" if "quotes" in value else "items"
    rows = value[name]
    shared = {key: part for key, part in value.items() if key != name}
    if name == "quotes" and shared:
        unknown = next(iter(shared))
        problem = FieldProblem(unknown, "Extra inputs are not permitted", "", "quotes alone; shared fields need items")
        raise _invalid(f"unknown field {unknown[:80]}; fields shared by all rows need items, not quotes", problem)
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_BATCH:
        received = str(len(rows)) if isinstance(rows, list) else type(rows).__name__
        problem = FieldProblem(name, "wrong number of rows", received, f"1 to {MAX_BATCH} rows")
        raise _invalid(f"{name} must be a list of 1 to {MAX_BATCH} rows", problem)
    if shared:
        validate(_SHARED, shared)
    base = _base(shared) if name == "items" else None
    return [_copied(base, row) or _row(row, shared, f"{name}.{index}") for index, row in enumerate(rows)]


async def price_rows(rows: Sequence[QuoteRequest | Problem], context: AppContext) -> list[Decision | Refusal | Problem]:
    """Price the valid rows of a batch together, except those that an earlier attempt recorded."""
    recorded = await context.recorded_earlier(len(rows))
    requests = {
        position: context.tagged(row, position)
        for position, row in enumerate(rows)
        if isinstance(row, QuoteRequest) and position not in recorded
    }
    priced = await context.run(context.service.priced, list(requests.values())) if requests else []
    decisions = {**recorded, **{position: one.answer for position, one in zip(requests, priced, strict=True)}}
    for one in priced:
        if isinstance(one.answer, Decision) and not one.again:
            context.metrics.quoted(one.answer)
    return [decisions[position] if isinstance(row, QuoteRequest) else row for position, row in enumerate(rows)]


def _base(shared: dict[str, Any]) -> QuoteRequest | None:
    """A request with the shared fields, to copy; None where each row is to say what is wrong with them."""
    try:
        return validate(_QUOTE, {**shared, "product": {"id": "-"}})
    except Problem:
        return None


def _copied(base: QuoteRequest | None, row: Any) -> QuoteRequest | None:
    """The request of a row with the id of a known product and no more; None leaves the row to its schema."""
    if base is None or not isinstance(row, dict) or not row.keys() <= _PLAIN:
        return None
    product, quantity = row.get("product"), row.get("quantity", 1)
    if not isinstance(product, dict) or product.keys() != {"id"} or not isinstance(product["id"], str):
        return None
    if type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:
        return None
    try:
        return base.of_known(normal_id(product["id"]), quantity)
    except ValueError:
        return None


def _row(row: Any, shared: dict[str, Any], prefix: str) -> QuoteRequest | Problem:
    if not isinstance(row, dict):
        received = type(row).__name__
        return _invalid("a row must be an object", FieldProblem(prefix, "not an object", received, "an object"))
    clash = next((key for key in row if key in shared), None)
    if clash is not None:
        problem = FieldProblem(f"{prefix}.{clash}", "given twice", "", "in the row or for all rows")
        return _invalid(f"{clash} is given in the row and for all rows; allowed: one of them", problem)
    try:
        return validate(_QUOTE, {**shared, **row}, prefix)
    except Problem as problem:
        return problem


def _invalid(detail: str, problem: FieldProblem) -> Problem:
    return Problem(422, detail, [problem], code=Code.FIELDS_INVALID)
