"""Parity: the price of an unknown shopper as an upper bound, where a law says that nobody may pay more.

The request without anything of the shopper goes through the steps as a counterfactual, which records nothing and leaves
nothing to chance; its price then bounds the shopper's own in the gateway.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import Context, QuoteRequest, Shopper
from agent.pricing.flow import Observation
from agent.rules.disclosure import IMPERSONAL_CONTEXT, has_personal
from agent.rules.packs import law_at

Quote = Callable[[Sequence[QuoteRequest], datetime], Sequence[Decision | Refusal]]


def bounded_by_strangers(
    observed: Sequence[Observation | Refusal], quote: Quote, now: datetime
) -> list[Observation | Refusal]:
    """Bound observations by a stranger's price where a law asks for it; `quote` must not record."""
    rows = [row for row, one in enumerate(observed) if isinstance(one, Observation) and _asks_for_it(one)]
    found = list(observed)
    if not rows:
        return found
    own = [one for one in observed if isinstance(one, Observation) and _asks_for_it(one)]
    for row, one, answer in zip(rows, own, quote([_strangers(one) for one in own], now), strict=True):
        if isinstance(answer, Decision):
            limits = one.price_limits.with_stranger(answer.price_minor)
            found[row] = replace(one, price_limits=limits)
    return found


def _asks_for_it(one: Observation) -> bool:
    quoted = one.last_price_minor is not None or one.shown is not None or one.live is not None
    known = quoted or has_personal(one.inputs_used)
    return known and one.held is None and law_at(one.market.jurisdiction, one.at).parity


def _strangers(one: Observation) -> QuoteRequest:
    """The request as an unknown shopper would make it; without personal inputs, so that it needs no bound itself."""
    context = {name: getattr(one.request.context, name) for name in sorted(IMPERSONAL_CONTEXT)}
    return one.request.model_copy(
        update={"shopper": Shopper(), "events": [], "context": Context(**context), "deadline_ms": one.deadline_ms}
    )
