"""Rows of a product list: validated together, currencies and limits of each checked."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from agent.api.body import validate
from agent.api.convert import to_product
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.accepted import ProductWarning
from agent.api.schemas import Product
from agent.domain.plausibility import Doubt, Suspicion, product_suspicion
from agent.domain.product_limits import contradictions, doubts
from agent.domain.records import ProductRecord
from agent.domain.refusal import FieldProblem
from agent.rules.packs import payable_step

_PRODUCT: Final = TypeAdapter(Product)
_MAX_ERRORS: Final = 50


def product_records(rows: Sequence[Any]) -> list[ProductRecord]:
    """Records of all rows.

    Raises:
        Problem: 422, when a row is invalid, has amounts in several currencies, or limits that contradict each other.
    """
    parsed = [validate(_PRODUCT, row, f"products.{index}") for index, row in enumerate(rows)]
    for index, product in enumerate(parsed):
        _check_currency(product, index)
    records = [to_product(product) for product in parsed]
    _check_limits(records)
    return records


def product_warnings(
    records: Sequence[ProductRecord], stored: Callable[[str], ProductRecord | None]
) -> list[ProductWarning]:
    """Doubts about products that are accepted: amounts, and ids that one request repeats.

    `stored` gives a product as it was before.
    """
    return [
        *_repeated(records),
        *(
            ProductWarning(product_id=record.product_id, field=found.field, message=found.message)
            for record in records
            for found in doubts(record, payable_step(record.currency))
        ),
        *(
            ProductWarning(product_id=found.product_id, field="list_price", message=_leap(found))
            for record in records
            if (found := product_suspicion(record, stored(record.product_id))) is not None
            and found.doubt is Doubt.NEW_LIST
        ),
    ]


def _repeated(records: Sequence[ProductRecord]) -> Iterator[ProductWarning]:
    counts = Counter(record.product_id for record in records)
    for product_id, count in counts.items():
        if count > 1:
            message = f"{count} rows have this id; the last one counts"
            yield ProductWarning(product_id=product_id, field="id", message=message)


def _leap(found: Suspicion) -> str:
    return f"changes from {found.expected} to {found.value}: is it in another unit, such as cents? if so, put it again"


def _check_currency(product: Product, index: int) -> None:
    currency = product.list_price.currency
    for name in ("cost", "min_price", "max_price", "map_price"):
        money = getattr(product, name)
        if money is not None and money.currency != currency:
            field = f"products.{index}.{name}"
            problem = FieldProblem(field, "another currency than list_price", money.currency, currency)
            detail = f"{field} is in {money.currency}, its list_price in {currency}; allowed: {currency}"
            raise Problem(422, detail, [problem], code=Code.LIMITS_CONTRADICT)


def _check_limits(records: Sequence[ProductRecord]) -> None:
    """Check that no limits contradict each other; both fields of each pair are named.

    Raises:
        Problem: 422, with one error a field.
    """
    problems: list[FieldProblem] = []
    for index, record in enumerate(records):
        for found in contradictions(record):
            for name in (found.field, found.other):
                amount = str(found.amount_minor) if name == found.field else ""
                problems.append(FieldProblem(f"products.{index}.{name}", found.message, amount, found.allowed))
    if problems:
        first = problems[0]
        more = f", and {len(problems) // 2 - 1} more" if len(problems) > 2 else ""
        detail = f"limits contradict each other: {first.field}: {first.message}; allowed: {first.allowed}{more}"
        raise Problem(422, detail, problems[:_MAX_ERRORS], code=Code.LIMITS_CONTRADICT)
