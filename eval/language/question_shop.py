"""Quote and catalogue that question cases are asked about, and how the service reads a question there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pydantic import TypeAdapter

from agent.domain.records import ProductRecord
from agent.explain.interpretation import Interpreter
from agent.explain.questions import QuestionInput
from agent.explain.understanding import Understanding

NOW: Final = datetime(2026, 12, 1, 10, tzinfo=UTC)  # a Tuesday


@dataclass(frozen=True)
class QuotedProduct:
    """The quote that questions are asked about."""

    product_id: str = "1082185"
    currency: str = "USD"
    price_minor: int = 130
    reference_minor: int = 139
    at: datetime = NOW


class Products:
    """Catalogue of the questions."""

    def product(self, product_id: str) -> ProductRecord | None:
        """A product by id; None when unknown."""
        return next((one for one in _products() if one.product_id == product_id), None)

    def products(self) -> Sequence[ProductRecord]:
        """All products."""
        return _products()

    def categories(self) -> set[str]:
        """Categories of all products."""
        return {one.category for one in _products()}


@cache
def _products() -> tuple[ProductRecord, ...]:
    raw = (files("eval") / "cases" / "question_products.json").read_bytes()
    return TypeAdapter(tuple[ProductRecord, ...]).validate_json(raw)


def read_question(understanding: Understanding, text: str, door: str) -> dict[str, Any]:
    """Read a question asked of the quote or of the log: its kind, and the values that cases name."""
    catalogue, quote = Products(), QuotedProduct()
    interpreter = Interpreter(understanding, catalogue, catalogue.categories)
    ask = QuestionInput(text)
    found = interpreter.about_quote(ask, quote, NOW) if door == "quote" else interpreter.about_log(ask, NOW)
    slots, period = found.slots, found.slots.period
    return {
        "kind": found.kind.value,
        "reason": found.reason,
        "asked_minor": slots.value_from(quote.price_minor),
        "amount_minor": slots.amount_minor,
        "change_pct": slots.change_pct,
        "count": slots.count,
        "factor": slots.factor,
        "other": slots.other,
        "category": slots.category,
        "product": slots.products[0] if len(slots.products) == 1 else None,
        "since": None if period is None else period.first_day.isoformat(),
        "until": None if period is None else period.last_day.isoformat(),
    }
