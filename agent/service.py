"""What the HTTP surface and the commands call: one synchronous, thread-safe object."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.api.schemas import QuoteRequest, RecommendationRequest
from agent.decision import Decision, Reason
from agent.explain.answers import Ask, Explanation, Said
from agent.kill_switch import KillSwitch
from agent.privacy import KnownShopper
from agent.records import EventRecord, OutcomeRecord, OutcomeType, ProductRecord, ShopperRecord
from agent.refusal import Refusal
from agent.rules import RuleBook
from agent.rules.preview import Preview
from agent.store.erasure import Erased
from agent.tokens import Told, Verification
from models.registry import Kind


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What a shop says became of a quote; `at` is when it happened."""

    quote_id: str
    type: OutcomeType
    quantity: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether quotes can be made; `checks` says `ok` or what is wrong, by part."""

    ready: bool
    checks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Learned:
    """What outcomes taught so far: how many, and how often they drifted away from what was expected."""

    lessons: int
    drift_alarms: int


class PricingService(Protocol):
    """Everything that can be asked of Pricesmith."""

    def quote(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Price requests, one decision or refusal each, in their order."""
        ...

    def decision(self, quote_id: str) -> Decision | None:
        """A recorded decision."""
        ...

    def outcomes_of(self, quote_id: str) -> list[OutcomeRecord]:
        """What is known to have become of a quote."""
        ...

    def verify(self, token: str, told: Told | None = None) -> Verification:
        """Check a quote's token against what is about to be sold."""
        ...

    def public_keys(self) -> list[dict[str, str]]:
        """The keys that check tokens, as JSON Web Keys."""
        ...

    def add_outcomes(self, reports: Sequence[OutcomeReport]) -> list[OutcomeRecord | Refusal]:
        """Record outcomes; the next quote knows them."""
        ...

    def add_events(self, events: Sequence[EventRecord]) -> None:
        """Record behaviour; the next quote knows it."""
        ...

    def upsert_products(self, products: Sequence[ProductRecord]) -> None:
        """Add or replace products; they are searchable when this returns."""
        ...

    def recommend(
        self, request: RecommendationRequest, id_of: Callable[[int], str | None] | None = None
    ) -> list[Decision]:
        """Products for a shopper, best first, each priced; `id_of` says which id the quote at a place shall have."""
        ...

    def shopper(self, shopper_id: str) -> KnownShopper | None:
        """Everything that is kept of a shopper; None when that is nothing."""
        ...

    def set_shopper(self, record: ShopperRecord) -> None:
        """Keep a shopper's profile and consent."""
        ...

    def erase_shopper(self, shopper_id: str) -> Erased:
        """Take away everything that tells of a shopper."""
        ...

    def purge(self, before: datetime) -> Erased:
        """Take away what tells of any shopper and is older than a moment."""
        ...

    def explain(self, quote_id: str, ask: Ask) -> Explanation | None:
        """An answer about one recorded quote; None when there is no such quote."""
        ...

    def tell(self, quote_id: str, ask: Ask) -> Generator[Said | Explanation] | None:
        """The same, sentence by sentence as each is ready, the whole at last."""
        ...

    def reasons(self, quote_id: str) -> Sequence[Reason] | None:
        """The personal inputs that raised a price most; None without such a quote, or where its request was erased."""
        ...

    def question(self, ask: Ask) -> Explanation:
        """An answer about many quotes."""
        ...

    def tell_many(self, ask: Ask) -> Generator[Said | Explanation]:
        """The same, sentence by sentence as each is ready, the whole at last."""
        ...

    @property
    def rules(self) -> RuleBook:
        """The merchant's rules."""
        ...

    @property
    def kill_switch(self) -> KillSwitch:
        """Holds all prices."""
        ...

    def preview_rules(self, version: int) -> Preview:
        """What the last day's quotes would be under a version of the rules, beside the rules in effect."""
        ...

    def learned(self) -> Learned:
        """How far learning came."""
        ...

    def readiness(self) -> Readiness:
        """Whether models, index and store are ready."""
        ...

    def reload(self) -> Mapping[Kind, str] | None:
        """Bring newly activated model versions into use; returns them, None when nothing changed."""
        ...

    def close(self) -> None:
        """Write snapshots and close the store."""
        ...
