"""Personal data: collected and erased in the store, caches, the outcome index and learned effects."""

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
    """All stored data of a shopper, and the features derived from it.

    Attributes:
        decisions: Each with its request, as far as the pipeline used it; None where erased.
        behaviour_text: Text of the past that the encoder reads.
        purchases_by_category: Counts that a new quote would use.
    """

    shopper_id: str
    record: ShopperRecord | None
    events: Sequence[EventRecord]
    decisions: Sequence[tuple[Decision, dict[str, JsonValue] | None]]
    outcomes: Sequence[OutcomeRecord]
    behaviour_text: str
    purchases_by_category: Mapping[str, int]


def collect_shopper(parts: Components, shopper_id: str, now: datetime) -> ShopperData | None:
    """Collect a shopper's data; None when there is none."""
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
    """Erase a shopper: when this returns, neither disk nor memory holds their data.

    Prices and sales stay, without the shopper. If they had outcomes, the learner replays the whole log without them.
    """
    erased = parts.store.erase_shopper(shopper_id)
    parts.standing.forget()
    parts.shoppers.forget({shopper_id})
    parts.pipeline.observer.reader.forget_texts()
    parts.row_scorer.forget()
    if parts.outcomes.memory.erase_shopper(shopper_id):
        parts.outcomes.memory.save(parts.folder.outcome_memory)
    if erased.outcomes:
        parts.learner.relearn(parts.store)
    return erased


def forget_erased(parts: Components) -> None:
    """Drop from outcome index and learned effects what another process has erased or removed from the store."""
    memory = parts.outcomes.memory
    named, held = memory.shopper_ids(), memory.outcome_ids()
    erased = named - parts.store.shoppers_with_outcomes(sorted(named))
    removed = set(held) - parts.store.known_outcomes(held)
    for shopper_id in erased:
        memory.erase_shopper(shopper_id)
    memory.remove(sorted(removed))
    if erased or removed:
        memory.save(parts.folder.outcome_memory)
        parts.learner.relearn(parts.store)


def purge(parts: Components, before: datetime) -> Erased:
    """Erase personal data from before a moment, of all shoppers; profiles and consent stay.

    Outcomes stay in the index, without their shoppers. The learner replays the log, as its effects by shopper rest on
    erased data.
    """
    behaved = parts.store_clock.shifted(before)
    erased = parts.store.erase_before(before, parts.store_clock)
    if not erased.anything:
        return erased
    parts.standing.forget()
    parts.shoppers.forget_all()
    parts.pipeline.observer.reader.forget_texts()
    parts.row_scorer.forget()
    if parts.outcomes.memory.forget_names(int(behaved.timestamp() * 1e6)):
        parts.outcomes.memory.save(parts.folder.outcome_memory)
    if erased.decisions:
        parts.learner.relearn(parts.store)
    return erased
