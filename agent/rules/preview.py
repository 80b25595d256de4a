"""Preview of rules: the last day's quotes priced again under the rules in effect and under others.

Both sides are priced now, by the same models, without randomness and without recording, so that only the rules differ.
Profit is the evaluator's expectation at each price, not actual sales.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np

from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.store import Store
from agent.store.decision_log import Span
from agent.store.rows import chunks

SPAN: Final = timedelta(days=1)
MOST: Final = 400
_BATCH: Final = 16  # a batch delays other quotes by no more than its own duration
_SHOWN: Final = 10
_Z95: Final = 1.96


class Quoter(Protocol):
    """Prices requests without recording anything."""

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[Decision | Refusal]:
        """Price requests; one decision or refusal each, in order."""
        ...


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A recorded quote whose price would change."""

    quote_id: str
    product_id: str | None
    before_minor: int
    after_minor: int
    reference_minor: int
    currency: str

    @property
    def change_frac(self) -> float:
        """The change as a fraction of the reference price."""
        return (self.after_minor - self.before_minor) / self.reference_minor


@dataclass(frozen=True, slots=True)
class ProfitChange:
    """Expected profit of the quotes in one currency, minor units; `low`, `high`: 95 % interval of `mean_difference`."""

    currency: str
    quotes: int
    before: float
    after: float
    mean_difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Preview:
    """Result of a preview: `quotes` in the span, `compared` of them priced again; `largest` has the largest changes."""

    since: datetime
    until: datetime
    quotes: int
    compared: int
    changed: int
    raised: int
    lowered: int
    mean_change_frac: float
    largest: tuple[PriceChange, ...]
    profit: tuple[ProfitChange, ...]


def preview(store: Store, before: Quoter, after: Quoter, now: datetime) -> Preview:
    """Compare two sets of rules on at most `MOST` quotes of the day before `now`."""
    span = Span(now - SPAN, now)
    pairs: list[tuple[str, Decision, Decision]] = []
    for part in chunks(store.sampled(span, MOST), _BATCH):
        requests = [QuoteRequest.model_validate_json(json.dumps(request)) for _, request in part]
        both = zip(part, before.quote(requests, now), after.quote(requests, now), strict=True)
        pairs += [(key, o, n) for (key, _), o, n in both if isinstance(o, Decision) and isinstance(n, Decision)]
    changes = [
        PriceChange(key, old.product_id, old.price_minor, new.price_minor, old.reference_minor, old.currency)
        for key, old, new in pairs
        if old.price_minor != new.price_minor
    ]
    return Preview(
        since=span.since,
        until=span.until,
        quotes=store.quote_count(span),
        compared=len(pairs),
        changed=len(changes),
        raised=sum(change.after_minor > change.before_minor for change in changes),
        lowered=sum(change.after_minor < change.before_minor for change in changes),
        mean_change_frac=sum(change.change_frac for change in changes) / max(1, len(pairs)),
        largest=tuple(sorted(changes, key=lambda change: -abs(change.change_frac))[:_SHOWN]),
        profit=tuple(_profits([(old, new) for _, old, new in pairs])),
    )


def _profits(pairs: Sequence[tuple[Decision, Decision]]) -> list[ProfitChange]:
    found = []
    for currency in sorted({old.currency for old, _ in pairs}):
        both = [
            (old.scores.profit.value, new.scores.profit.value)
            for old, new in pairs
            if old.currency == currency and old.scores is not None and new.scores is not None
        ]
        if not both:
            continue
        values = np.asarray(both)
        gain = values[:, 1] - values[:, 0]
        mean = float(gain.mean())
        half = _Z95 * float(gain.std(ddof=1)) / len(gain) ** 0.5 if len(gain) > 1 else float("inf")
        low, high = (mean - half, mean + half) if np.isfinite(half) else (mean, mean)
        before, after = values.sum(axis=0).tolist()
        found.append(ProfitChange(currency, len(both), before, after, mean, low, high))
    return found
