"""Decision log for off-policy evaluation: decisions with stored request and known outcome."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord
from agent.domain.request import QuoteRequest
from agent.state.online_learner import labels
from agent.store import Store

SILENT_AFTER: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LoggedQuote:
    """One decision with its request and outcome; `settled_at` is when the outcome, or its absence, was known."""

    decision: Decision
    request: QuoteRequest
    bought: bool
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class Log:
    """Quotes of one currency in time order, and the number of quotes left out by reason."""

    quotes: tuple[LoggedQuote, ...]
    currency: str
    left_out: dict[str, int]


def read_log(store: Store, *, silent_after: timedelta = SILENT_AFTER) -> Log:
    """Read all decisions that can be evaluated.

    A quote without outcome counts as declined if it is at least `silent_after` older than the last decision. Left out
    are younger ones, quotes whose request was not stored or was erased, and quotes in other currencies.
    """
    outcomes = _outcomes(store)
    left_out: Counter[str] = Counter()
    found: list[LoggedQuote] = []
    waiting: list[LoggedQuote] = []
    latest: datetime | None = None
    for decision, request in store.logged():
        latest = decision.at
        if request is None:
            left_out["request not kept"] += 1
            continue
        quote_request = QuoteRequest.model_validate(request)
        own = outcomes.get(decision.id)
        if own is None:
            waiting.append(LoggedQuote(decision, quote_request, bought=False, settled_at=decision.at + silent_after))
        else:
            _, bought = labels(own, own[-1])
            found.append(LoggedQuote(decision, quote_request, bought=bool(bought), settled_at=own[0].at))
    silent = [quote for quote in waiting if latest is not None and quote.settled_at <= latest]
    left_out["no outcome yet"] = len(waiting) - len(silent)
    every = sorted([*found, *silent], key=lambda quote: (quote.decision.at, quote.decision.id))
    currency = Counter(quote.decision.currency for quote in every).most_common(1)
    chosen = currency[0][0] if currency else ""
    left_out["other currency"] = sum(quote.decision.currency != chosen for quote in every)
    return Log(
        tuple(quote for quote in every if quote.decision.currency == chosen),
        chosen,
        {reason: count for reason, count in left_out.items() if count},
    )


def _outcomes(store: Store) -> dict[str, list[OutcomeRecord]]:
    """Outcomes by quote id, in order of arrival."""
    found: dict[str, list[OutcomeRecord]] = {}
    for _, outcome in store.outcomes_since(0):
        if outcome.quote_id is not None:
            found.setdefault(outcome.quote_id, []).append(outcome)
    return found
