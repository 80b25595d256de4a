"""What is known of one shopper, told or taken away everywhere: store, caches, outcome memory, learned effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from agent.domain.decision import Decision
from agent.domain.records import EventRecord, OutcomeRecord, ShopperRecord
from agent.domain.request import RecommendationRequest, Shopper
from agent.service.components import Components
from agent.store.erasure import Erased

_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class ShopperData:
    """Everything that is kept of a shopper, and what is made of it.

    Attributes:
        decisions: Each with the request that it answers, as far as it entered.
        behaviour_text: The words that the encoder reads of the past.
        purchases_by_category: What a new quote would count.
    """

    shopper_id: str
    record: ShopperRecord | None
    events: Sequence[EventRecord]
    decisions: Sequence[tuple[Decision, dict[str, JsonValue] | None]]
    outcomes: Sequence[OutcomeRecord]
    behaviour_text: str
    purchases_by_category: Mapping[str, int]


def collect_shopper(parts: Components, shopper_id: str, now: datetime) -> ShopperData | None:
    """Everything kept of a shopper; None when that is nothing."""
    store = parts.store
    record = store.shopper(shopper_id)
    events = store.shopper_events(shopper_id, limit=_ALL)
    decisions = list(store.decisions_of(shopper_id))
    outcomes = store.outcomes_by(shopper_id)
    if record is None and not (events or decisions or outcomes):
        return None
    asked = RecommendationRequest(shopper=Shopper(id=shopper_id))
    recalled = parts.pipeline.observer.reader.read_shopper(asked, now)
    counts = {name: seen.times for name, seen in recalled.history.categories.items() if name}
    return ShopperData(shopper_id, record, events, decisions, outcomes, recalled.past.text, counts)


def erase(parts: Components, shopper_id: str) -> Erased:
    """Take a shopper away: when this returns, nothing on disk or in memory tells of them.

    Prices and sales stay, nobody's. What their outcomes taught is unlearned by learning the log again without them.
    """
    erased = parts.store.erase_shopper(shopper_id)
    parts.shoppers.forget({shopper_id})
    parts.pipeline.observer.reader.forget_texts()
    if parts.outcomes.memory.erase_shopper(shopper_id):
        parts.outcomes.memory.save(parts.folder.outcome_memory)
    if erased.outcomes:
        parts.learner.relearn(parts.store)
    return erased


def purge(parts: Components, before: datetime) -> Erased:
    """Take away what tells of any shopper and is older than a moment; profiles and consent stay.

    Outcomes of then are still remembered, as nobody's. What they taught is unlearned, since what is left of them no
    longer says of whom it was learned.
    """
    behaved = parts.store_clock.shifted(before)
    erased = parts.store.erase_before(before, parts.store_clock)
    if not erased.anything:
        return erased
    parts.shoppers.forget_all()
    parts.pipeline.observer.reader.forget_texts()
    if parts.outcomes.memory.forget_names(int(behaved.timestamp() * 1e6)):
        parts.outcomes.memory.save(parts.folder.outcome_memory)
    if erased.decisions:
        parts.learner.relearn(parts.store)
    return erased
