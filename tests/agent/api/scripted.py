"""A scripted pricing service behind the real app, keys and store."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from typing import cast

from litestar import Litestar

from agent.api.app import create_app
from agent.api.context import Resources
from agent.domain.clock import SystemClock
from agent.domain.decision import CheckoutClaim, Decision, Reason
from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, RecommendationRequest
from agent.explain.answers import CheckedSentence, Explanation
from agent.explain.questions import QuestionInput
from agent.pricing.standing_quotes import Priced
from agent.rules.book import RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.rules.preview import Preview
from agent.service.answering import LearningProgress
from agent.service.auth.api_keys import KeyRing
from agent.service.auth.quote_tokens import TokenStatus, Verification
from agent.service.outcome_reports import AnsweredReport
from agent.service.outcome_sequence import OutcomeReport
from agent.service.privacy import ShopperData
from agent.service.readiness import Readiness
from agent.service.service import Service
from agent.service.settings import Settings
from agent.state.store_follower import Followed
from agent.store import Store, StoreKind
from agent.store.erasure import Erased
from tests.agent.store.builders import decision

ADMIN = "bootstrap-key-for-tests"


@dataclass(slots=True)
class ScriptedService:
    """Answers every request with the same decision under a new id; fails, waits or refuses as scripted."""

    failure: Exception | None = None
    refusal: Refusal | None = None
    ready: bool = True
    gate: Event = field(default_factory=Event)
    begun: Event = field(default_factory=Event)
    quoted: list[QuoteRequest] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    products: list[ProductRecord] = field(default_factory=list)
    reports: list[OutcomeReport] = field(default_factory=list)
    closed: bool = False
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    def quote(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        self.begun.set()
        if not self.gate.wait(timeout=20):
            raise TimeoutError("the gate stayed shut")
        if self.failure is not None:
            raise self.failure
        if self.refusal is not None:
            return [self.refusal] * len(requests)
        with self._lock:
            self.quoted.extend(requests)
            first = len(self.quoted) - len(requests)
        return [decision(id=f"q{first + row}", quantity=request.quantity) for row, request in enumerate(requests)]

    def priced(self, requests: Sequence[QuoteRequest]) -> list[Priced]:
        return [Priced(answer) for answer in self.quote(requests)]

    def decision(self, quote_id: str) -> Decision | None:
        return decision(id=quote_id) if quote_id.startswith("q") else None

    def outcomes_of(self, quote_id: str) -> list[OutcomeRecord]:
        return []

    def verify(self, token: str, claim: CheckoutClaim | None = None) -> Verification:
        return Verification(TokenStatus.TAMPERED, None)

    def public_keys(self) -> list[dict[str, str]]:
        return []

    def add_outcomes(self, reports: Sequence[OutcomeReport]) -> list[OutcomeRecord | Refusal]:
        self.reports.extend(reports)
        return [Refusal(404, "quote-unknown", f"there is no quote {report.quote_id!r}") for report in reports]

    def add_outcome(self, report: OutcomeReport) -> AnsweredReport:
        return AnsweredReport(self.add_outcomes([report])[0], new=False)

    def add_events(self, events: Sequence[EventRecord]) -> Refusal | None:
        self.events.extend(events)
        return None

    def leads(self) -> bool:
        return True

    def keep_products(self) -> bool:
        return False

    def keep_shopper(self) -> bool:
        return False

    def follow(self) -> Followed:
        return Followed()

    def upsert_products(self, products: Sequence[ProductRecord]) -> None:
        self.products.extend(products)

    def recommend(
        self, request: RecommendationRequest, id_of: Callable[[int], str | None] | None = None
    ) -> list[Decision]:
        return [decision(id="q0")] * request.limit

    def shopper(self, shopper_id: str) -> ShopperData | None:
        return None

    def set_shopper(self, record: ShopperRecord) -> None:
        raise NotImplementedError

    def erase_shopper(self, shopper_id: str) -> Erased:
        return Erased(0, 0, 0, 0, 0)

    def reasons(self, quote_id: str) -> Sequence[Reason] | None:
        return None

    def purge(self, before: datetime) -> Erased:
        return Erased(0, 0, 0, 0, 0)

    def explain(self, quote_id: str, ask: QuestionInput) -> Explanation | None:
        return None

    def stream_explanation(self, quote_id: str, ask: QuestionInput) -> None:
        return None

    def question(self, ask: QuestionInput) -> Explanation:
        raise NotImplementedError

    def stream_answer(self, ask: QuestionInput) -> Generator[CheckedSentence | Explanation]:
        raise NotImplementedError

    @property
    def rules(self) -> RuleBook:
        raise NotImplementedError

    @property
    def kill_switch(self) -> KillSwitch:
        raise NotImplementedError

    def preview_rules(self, version: int) -> Preview:
        raise NotImplementedError

    def learned(self) -> LearningProgress:
        return LearningProgress(12, 1)

    def readiness(self) -> Readiness:
        return Readiness(self.ready, {"models": "ok" if self.ready else "loading"}, StoreKind.OWN)

    def reload(self) -> None:
        return None

    def close(self) -> None:
        self.closed = True


def as_service(service: ScriptedService) -> Service:
    """The fake typed as the real service, whose methods it has by name."""
    return cast(Service, service)


def scripted_app(service: ScriptedService, folder: Path, **changes: object) -> Litestar:
    """The app over `service`, with a store of its own in `folder`."""

    def open_all(_settings: Settings) -> Resources:
        store = Store.open(f"sqlite:///{folder}/store.db")
        return Resources(service=as_service(service), store=store, keys=KeyRing(store, SystemClock(), ADMIN))

    return create_app(Settings.model_validate({"data_dir": folder, **changes}), open_all)


class SlowService(ScriptedService):
    """Takes a second for a quote, and leaves a mark when it is closed."""

    def quote(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        time.sleep(1)
        return ScriptedService.quote(self, requests)

    def close(self) -> None:
        (Path(os.environ["PRICESMITH_DATA_DIR"]) / "closed").touch()


def create() -> Litestar:
    """For a server in a process of its own."""
    return scripted_app(SlowService(), Path(os.environ["PRICESMITH_DATA_DIR"]))
