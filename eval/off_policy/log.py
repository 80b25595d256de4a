"""A decision log as estimators need it: decisions whose request was kept and whose outcome is known."""

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
    """One decision with what it answered and what became of it; silence is told by `settled_at` alone."""

    decision: Decision
    request: QuoteRequest
    bought: bool
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class Log:
    """Quotes of one currency by time, and how many others there were, by reason."""

    quotes: tuple[LoggedQuote, ...]
    currency: str
    left_out: dict[str, int]


def read_log(store: Store, *, silent_after: timedelta = SILENT_AFTER) -> Log:
    """Read everything that can be judged.

    A quote without outcome counts as declined once `silent_after` has passed until the log's last decision; younger
    ones are left out. So are quotes whose request was not kept or was erased, and those in other currencies.
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
        asked = QuoteRequest.model_validate(request)
        own = outcomes.get(decision.id)
        if own is None:
            waiting.append(LoggedQuote(decision, asked, bought=False, settled_at=decision.at + silent_after))
        else:
            _, bought = labels(own, own[-1])
            found.append(LoggedQuote(decision, asked, bought=bool(bought), settled_at=own[0].at))
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
    """Outcomes of quotes in the order of arrival."""
    found: dict[str, list[OutcomeRecord]] = {}
    for _, outcome in store.outcomes_since(0):
        if outcome.quote_id is not None:
            found.setdefault(outcome.quote_id, []).append(outcome)
    return found
