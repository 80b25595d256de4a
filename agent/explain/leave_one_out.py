"""Leave-one-out: the recorded request priced again less one input at a time, nothing recorded.

It answers which input moved a price most (`driver` in `what_if.py`), and the principal reasons of a price as Regulation
B (12 CFR 1002.9) wants them: specific, and the factors that really set it. Effects that inputs have only together are
missed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.domain.decision import Decision, Reason
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.rules.disclosure import is_personal

MOST: Final = 4
_MARKET: Final = ("competitor_prices", "inventory", "market_trend", "promotion", "deadline")

Quote = Callable[[Sequence[QuoteRequest], datetime], Sequence[Decision | Refusal]]
"""Counterfactual prices at a moment; must not record."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Decisions of one request: as it was, and without each input, by the input's name."""

    base: Decision
    without: Mapping[str, Decision]


def leave_out(request: QuoteRequest, others: Mapping[str, QuoteRequest], quote: Quote, at: datetime) -> LeftOut | None:
    """Price a request beside itself less each input; None where it cannot be priced."""
    base, *answers = quote([request, *others.values()], at)
    if not isinstance(base, Decision):
        return None
    found = zip(others, answers, strict=True)
    return LeftOut(base, {name: then for name, then in found if isinstance(then, Decision)})


def principal_reasons(decision: Decision, request: QuoteRequest, quote: Quote) -> tuple[Reason, ...]:
    """The personal inputs that raised a price most, at most `MOST`, most first; empty where none did."""
    used = {name for name in decision.disclosure.inputs_used if is_personal(name)}
    others = {name: other for name, other in without_each_personal(request).items() if name in used}
    left = leave_out(request, others, quote, decision.at) if others else None
    if left is None:
        return ()
    raised = {name: left.base.price_minor - then.price_minor for name, then in left.without.items()}
    found = [Reason(name, by) for name, by in raised.items() if by > 0]
    return tuple(sorted(found, key=lambda one: (-one.raised_minor, one.input))[:MOST])


def without_each(request: QuoteRequest) -> dict[str, QuoteRequest]:
    """The request less one input at a time, the profile as one, by names that explanations use."""
    found = dict(_without_shopper_parts(request, by_field=False))
    given = [name for name in _MARKET if getattr(request.context, name) not in (None, [])]
    found |= {name: _without_context(request, name) for name in given}
    if request.quantity > 1:
        found["quantity"] = request.model_copy(update={"quantity": 1})
    return found


def without_each_personal(request: QuoteRequest) -> dict[str, QuoteRequest]:
    """The request less one personal input at a time, each profile field by itself, by names of the disclosure."""
    context = request.context
    found = dict(_without_shopper_parts(request, by_field=True))
    further = [*(context.__pydantic_extra__ or {}), *(["location"] if context.location else [])]
    return found | {f"context.{name}": _without_context(request, name) for name in further}


def _without_shopper_parts(request: QuoteRequest, *, by_field: bool) -> Iterator[tuple[str, QuoteRequest]]:
    shopper, profile = request.shopper, request.shopper.profile
    if shopper.id is not None:
        yield "purchase_history", _with_shopper(request, id=None)
    if by_field and isinstance(profile, dict):
        for name in profile:
            rest = {other: value for other, value in profile.items() if other != name}
            yield f"profile.{name}", _with_shopper(request, profile=rest)
    elif profile:
        yield "profile", _with_shopper(request, profile={})
    if request.events:
        yield "session_events", request.model_copy(update={"events": []})


def _with_shopper(request: QuoteRequest, **changes: object) -> QuoteRequest:
    return request.model_copy(update={"shopper": request.shopper.model_copy(update=changes)})


def _without_context(request: QuoteRequest, name: str) -> QuoteRequest:
    context = request.context
    rest = {key: value for key, value in context.model_dump(exclude_unset=True).items() if key != name}
    return request.model_copy(update={"context": type(context).model_validate(rest)})
