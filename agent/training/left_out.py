"""Stored outcomes that training leaves out, as they cannot be true or are probably in another unit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from agent.domain.fields import MAX_AHEAD
from agent.domain.plausibility import price_suspicion
from agent.domain.records import ProductRecord
from agent.store.column_types import from_micros, micros

_NAMED: Final = 5
_FUTURE: Final = "dated in the future"
_CURRENCY: Final = "in another currency than their product"
_REMEDY: Final = "remedy: pricesmith data check lists them, pricesmith data remove removes imported ones"


@dataclass(slots=True)
class LeftOut:
    """Judges outcomes one by one and remembers those that are left out.

    Attributes:
        now: Outcomes more than a day after it are left out.
    """

    product_of: Callable[[str], ProductRecord | None]
    now: datetime
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def leaves_out(self, row: Any) -> bool:
        """Whether a row of `Store.outcome_columns` is left out."""
        if row.at > micros(self.now + MAX_AHEAD):
            return self._add(_FUTURE, f"{row.seq} of {from_micros(row.at).astimezone(UTC):%Y-%m-%d}")
        product = self.product_of(row.product_id) if row.product_id is not None else None
        if product is not None and product.currency != row.currency:
            return self._add(_CURRENCY, f"{row.seq} in {row.currency}, product {row.product_id} in {product.currency}")
        list_minor = product.list_minor if product is not None else None
        doubt = price_suspicion(row.product_id or "", row.currency, row.price_minor, row.reference_minor, list_minor)
        if doubt is None:
            return False
        return self._add(f"of an implausible {doubt.doubt}", f"{row.seq}: {doubt.value} against {doubt.expected}")

    def notes(self) -> list[str]:
        """One sentence for each reason."""
        return [
            f"{count:,} outcomes {reason} were left out (number {', '.join(self.examples[reason])}"
            f"{', ...' if count > len(self.examples[reason]) else ''}); {_REMEDY}"
            for reason, count in self.counts.items()
        ]

    def _add(self, reason: str, example: str) -> bool:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        named = self.examples.setdefault(reason, [])
        if len(named) < _NAMED:
            named.append(example)
        return True
