"""The principal reasons of a price, as Regulation B wants them: specific, and the factors that really set it.

Each personal input of the recorded request is left out in turn and the same steps run again, nothing recorded. A reason
is an input without which the price would be lower; the four that weigh most are given. What works only together with
another input is missed.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from agent.domain.decision import Decision, Reason
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.rules.disclosure import is_personal

MOST: Final = 4

Quote = Callable[[Sequence[QuoteRequest], datetime], Sequence[Decision | Refusal]]
"""Prices as they would have been at a moment; must not record."""


def principal_reasons(decision: Decision, request: QuoteRequest, quote: Quote) -> tuple[Reason, ...]:
    """The inputs that raised a price most, most first; none where no personal input did."""
    left_out = [(name, other) for name, other in _without_each(request) if _entered(name, decision)]
    if not left_out:
        return ()
    base, *others = quote([request, *(other for _, other in left_out)], decision.at)
    if not isinstance(base, Decision):
        return ()
    found = [
        Reason(name, base.price_minor - then.price_minor)
        for (name, _), then in zip(left_out, others, strict=True)
        if isinstance(then, Decision) and then.price_minor < base.price_minor
    ]
    return tuple(sorted(found, key=lambda one: (-one.raised_minor, one.input))[:MOST])


def _entered(name: str, decision: Decision) -> bool:
    return name in decision.disclosure.inputs_used and is_personal(name)


def _without_each(request: QuoteRequest) -> Iterator[tuple[str, QuoteRequest]]:
    """The request less one personal input at a time, by its name in the disclosure."""
    shopper, context = request.shopper, request.context
    if isinstance(shopper.profile, dict):
        for name in shopper.profile:
            rest = {other: value for other, value in shopper.profile.items() if other != name}
            yield f"profile.{name}", _with_shopper(request, profile=rest)
    elif shopper.profile:
        yield "profile", _with_shopper(request, profile={})
    if shopper.id is not None:
        yield "purchase_history", _with_shopper(request, id=None)
    if request.events:
        yield "session_events", request.model_copy(update={"events": []})
    told: Sequence[str] = [*(context.__pydantic_extra__ or {}), *(["location"] if context.location else [])]
    for name in told:
        rest_of_it = {key: value for key, value in context.model_dump(exclude_unset=True).items() if key != name}
        yield f"context.{name}", request.model_copy(update={"context": type(context).model_validate(rest_of_it)})


def _with_shopper(request: QuoteRequest, **changes: object) -> QuoteRequest:
    return request.model_copy(update={"shopper": request.shopper.model_copy(update=changes)})
