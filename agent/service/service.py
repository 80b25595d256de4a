"""One running Pricesmith: pipeline, catalogue, indexes and store behind one thread-safe object."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Final

from agent.domain.decision import CheckoutClaim, Decision, Reason, Scores
from agent.domain.records import (
    EventRecord,
    EventType,
    OutcomeRecord,
    OutcomeType,
    ProductRecord,
    ProductWeek,
    ShopperRecord,
)
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, RecommendationRequest
from agent.explain.answers import Ask, Explanation
from agent.explain.explainer import Telling, whole
from agent.explain.leave_one_out import principal_reasons
from agent.explain.log_facts import LogFacts
from agent.explain.quote_facts import QuoteFacts
from agent.pricing.counterfactuals import Counterfactuals
from agent.pricing.score_at_prices import PricedRow
from agent.rules import MerchantRules, RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.rules.preview import Preview, preview
from agent.service.auth.quote_tokens import TokenStatus, Verification
from agent.service.components import Components
from agent.service.outcome_reports import OutcomeReport, outcome_of, purchase_of
from agent.service.privacy import ShopperData, collect_shopper, erase, purge
from agent.store import StoreError
from agent.store.codec import Offer
from agent.store.erasure import Erased
from models.registry.registry import ModelKind, Registry
from models.shopper.weeks import week_of, week_start

_SPARED: Final = ("index", "language_model")
"""Parts without which quotes are made all the same, from a lower rung or for products told in the request."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether quotes can be made; `checks` says `ok` or what is wrong, by part."""

    ready: bool
    checks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LearningProgress:
    """What outcomes taught so far: how many, and how often they drifted away from what was expected."""

    lessons: int
    drift_alarms: int


class Service:
    """Synchronous and thread-safe; quotes are made one batch at a time, everything else beside them."""

    def __init__(self, parts: Components, rebuild: Callable[[Components], Components]) -> None:
        """Take ownership of the parts; `close` ends them. `rebuild` makes parts with the versions active now."""
        self._parts = parts
        self._rebuild = rebuild
        self._quoting = Lock()
        self._remembering = Lock()
        self._reloading = Lock()
        self._refused: Mapping[ModelKind, str] = {}
        self._changed: set[str] | None = None  # products that change while other parts are being built
        self._closed = False
        self._saved: tuple[object, object] = (parts.outcomes.memory.watermark, parts.catalogue.index.version)

    def quote(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Price requests, one decision or refusal each, in their order."""
        with self._quoting:
            return self._parts.pipeline.quote(requests, self._parts.clock.now())

    def drafts(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Prices as they would be now, with nothing recorded and nothing left to chance."""
        with self._quoting:
            return self._parts.pipeline.draft().quote(requests, self._parts.clock.now())

    def score(self, rows: Sequence[PricedRow]) -> list[Scores | Refusal]:
        """Scores at given prices, or why there are none, in the order of the rows; nothing is recorded."""
        with self._quoting:
            return self._parts.row_scorer.score(rows, self._parts.clock.now())

    def decision(self, quote_id: str) -> Decision | None:
        """A recorded decision."""
        return self._parts.store.decision(quote_id)

    def outcomes_of(self, quote_id: str) -> list[OutcomeRecord]:
        """What is known to have become of a quote."""
        return self._parts.store.outcomes_of(quote_id)

    def verify(self, token: str, told: CheckoutClaim | None = None) -> Verification:
        """Check a quote's token against what is about to be sold, and whether its quote was bought already."""
        found = self._parts.signer.verify(token, self._parts.clock.now())
        if found.claims is None or found.status is not TokenStatus.VALID:
            return found
        mismatches = told.mismatches(found.claims) if told is not None else ()
        bought = [o for o in self.outcomes_of(found.claims.quote_id) if o.type is OutcomeType.PURCHASED]
        used_at = min((outcome.at for outcome in bought), default=None)
        status = TokenStatus.MISMATCHED if mismatches else TokenStatus.USED if bought else TokenStatus.VALID
        return Verification(status, found.claims, mismatches, used_at)

    def public_keys(self) -> list[dict[str, str]]:
        """The keys that check tokens, as JSON Web Keys."""
        return self._parts.signer.published(self._parts.clock.now())

    def add_outcomes(self, reports: Sequence[OutcomeReport]) -> list[OutcomeRecord | Refusal]:
        """Record outcomes; a repeated report of one type for one quote changes nothing."""
        offers = self._parts.store.offers(report.quote_id for report in reports)
        answers = [outcome_of(report, offers.get(report.quote_id)) for report in reports]
        fresh: dict[str, OutcomeRecord] = {}
        for answer in answers:
            if isinstance(answer, OutcomeRecord):
                fresh.setdefault(answer.outcome_id, answer)
        known = self._parts.store.known_outcomes(list(fresh))
        if len(known) < len(fresh):
            self._keep([outcome for outcome_id, outcome in fresh.items() if outcome_id not in known])
            self.replay_outcomes(offers)
        return answers

    def add_events(self, events: Sequence[EventRecord]) -> None:
        """Record behaviour; purchases count as sales of their product."""
        self._count(self._parts.store.append_events([self._on_behaviour_clock(event) for event in events], self._week))

    def import_outcomes(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """Keep outcomes of offers that were made elsewhere; those that are new count as sales and are remembered."""
        self.keep_outcomes(outcomes)
        self.replay_outcomes()

    def keep_outcomes(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """The same for one batch of many; `replay_outcomes` follows the last."""
        known = self._parts.store.known_outcomes([outcome.outcome_id for outcome in outcomes])
        self._keep(list({o.outcome_id: o for o in outcomes if o.outcome_id not in known}.values()))

    def replay_outcomes(self, offers: Mapping[str, Offer] | None = None) -> None:
        """Take what the store has and memory has not into memory; `offers` are those that were read already."""
        with self._remembering:
            self._parts.outcomes.catch_up(self._parts.store)
            self._parts.learner.catch_up(self._parts.store, offers)

    def list_price(self, product_id: str) -> int | None:
        """A product's list price in minor units, None when it is unknown."""
        product = self._parts.catalogue.product(product_id)
        return product.list_minor if product is not None else None

    def upsert_products(self, products: Sequence[ProductRecord]) -> None:
        """Add or replace products; they are searchable when this returns."""
        self._parts.catalogue.upsert(products, self._parts.clock.now())
        if self._changed is not None:
            self._changed |= {product.product_id for product in products}

    def recommend(
        self, request: RecommendationRequest, id_of: Callable[[int], str | None] | None = None
    ) -> list[Decision]:
        """Products for a shopper, best first, each priced; `id_of` says which id the quote at a place shall have."""
        with self._quoting:
            now = self._parts.clock.now()
            quotes = self._parts.ranker.rank(request, now)
            if id_of is not None:
                quotes = [quote.tagged(id_of(place)) for place, quote in enumerate(quotes)]
            answers = self._parts.pipeline.quote(quotes, now) if quotes else []
        return [answer for answer in answers if isinstance(answer, Decision)]

    def explain(self, quote_id: str, ask: Ask) -> Explanation | None:
        """An answer about one recorded quote; None when there is no such quote."""
        telling = self.stream_explanation(quote_id, ask)
        return None if telling is None else whole(telling)

    def stream_explanation(self, quote_id: str, ask: Ask) -> Telling | None:
        """The same, sentence by sentence as each is ready."""
        parts = self._parts
        decision = parts.store.decision(quote_id)
        if decision is None:
            return None
        return parts.explainer.tell_quote(
            ask, decision, QuoteFacts(parts.store, parts.store_clock, self._counterfactuals())
        )

    def reasons(self, quote_id: str) -> Sequence[Reason] | None:
        """The personal inputs that raised a price most; None without such a quote, or where its request was erased."""
        decision, asked = self._parts.store.decision(quote_id), self._parts.store.request_of(quote_id)
        if decision is None or asked is None:
            return None
        return principal_reasons(decision, QuoteRequest.model_validate(dict(asked)), self._counterfactuals().quote)

    def question(self, ask: Ask) -> Explanation:
        """An answer about many quotes."""
        return whole(self.stream_answer(ask))

    def stream_answer(self, ask: Ask) -> Telling:
        """The same, sentence by sentence as each is ready."""
        return self._parts.explainer.tell_log(ask, LogFacts(self._parts.store), self._parts.clock.now())

    @property
    def rules(self) -> RuleBook:
        """The merchant's rules."""
        return self._parts.rules

    @property
    def kill_switch(self) -> KillSwitch:
        """Holds all prices."""
        return self._parts.kill_switch

    def preview_rules(self, version: int) -> Preview:
        """What the last day's quotes would be under a version of the rules, beside the rules in effect."""
        parts = self._parts
        now = parts.clock.now()
        draft = parts.pipeline.draft()

        def under(rules: MerchantRules) -> Counterfactuals:
            ruled = replace(draft, observer=draft.observer.under(rules))
            return Counterfactuals(ruled, parts.row_scorer, parts.shoppers, self._quoting)

        return preview(parts.store, under(parts.rules.current(now)), under(parts.rules.rules(version)), now)

    def shopper(self, shopper_id: str) -> ShopperData | None:
        """Everything that is kept of a shopper; None when that is nothing."""
        with self._quoting:
            return collect_shopper(self._parts, shopper_id, self._parts.clock.now())

    def set_shopper(self, record: ShopperRecord) -> None:
        """Keep a shopper's profile and consent; the next quote knows them."""
        self._parts.store.upsert_shoppers([record])

    def erase_shopper(self, shopper_id: str) -> Erased:
        """Take away everything that tells of a shopper, on disk and in memory."""
        with self._reloading, self._remembering:
            return erase(self._parts, shopper_id)

    def purge(self, before: datetime) -> Erased:
        """Take away what tells of any shopper and is older than a moment, on disk and in memory."""
        with self._reloading, self._remembering:
            return purge(self._parts, before)

    def reload(self) -> Mapping[ModelKind, str] | None:
        """Bring versions that were activated since into use; returns them, None when nothing changed.

        Quotes go on with the old versions until the new parts are ready. A version that cannot be loaded leaves the
        old ones in use, and is not tried again until something else is activated.

        Raises:
            RegistryError: The newly active versions are damaged or do not fit together.
        """
        with self._reloading:
            old = self._parts
            wanted = Registry(old.folder.models).in_use()
            if self._closed or wanted in (old.in_use, self._refused):
                return None
            self._changed = set()
            try:
                fresh = self._rebuild(old)
            except Exception:
                self._refused, self._changed = wanted, None
                raise
            with self._quoting, self._remembering:
                if self._closed:
                    return None
                if fresh.catalogue is not old.catalogue:
                    fresh.catalogue.reindex(self._changed)
                    self._saved = (self._saved[0], None)
                if fresh.in_use.get(ModelKind.EVALUATOR) != old.in_use.get(ModelKind.EVALUATOR):
                    self._saved = (None, self._saved[1])
                fresh.outcomes.catch_up(fresh.store)
                fresh.learner.catch_up(fresh.store)
                self._parts, self._changed, self._refused = fresh, None, {}
            return fresh.in_use

    def learned(self) -> LearningProgress:
        """How far learning came, from the outcomes that this process knows of."""
        effects = self._parts.learner.effects
        return LearningProgress(effects.lessons, effects.drift.alarms)

    def readiness(self) -> Readiness:
        """Whether models, index and store are ready."""
        checks = {
            "models": "ok",
            "language_model": self._parts.pipeline.proposer.language_model,
            "index": "ok",
            "store": "ok",
        }
        if self._closed:
            checks["models"] = "closing"
        if not len(self._parts.catalogue):
            checks["index"] = "empty: no products; remedy: pricesmith prepare, or PUT /v1/products"
        try:
            self._parts.store.ping()
        except StoreError as error:
            checks["store"] = str(error)
        return Readiness(all(check == "ok" for name, check in checks.items() if name not in _SPARED), checks)

    def close(self) -> None:
        """Write snapshots of what changed, and close the store."""
        if self._closed:
            return
        self._closed = True
        parts = self._parts
        with self._quoting, self._remembering:
            if parts.outcomes.memory.watermark != self._saved[0]:
                parts.outcomes.memory.save(parts.folder.outcome_memory)
            parts.learner.save()
            if parts.catalogue.index.version != self._saved[1]:
                parts.catalogue.index.save(parts.folder.product_index)
            parts.store.close()

    def _counterfactuals(self) -> Counterfactuals:
        parts = self._parts
        return Counterfactuals(parts.pipeline.draft(), parts.row_scorer, parts.shoppers, self._quoting)

    def _keep(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """Keep outcomes with the sales among them."""
        self._count(self._parts.store.record_outcomes(outcomes, self._sale, self._week))

    def _sale(self, outcome: OutcomeRecord) -> EventRecord | None:
        if outcome.type is not OutcomeType.PURCHASED or outcome.product_id is None:
            return None
        return self._on_behaviour_clock(purchase_of(outcome))

    def _week(self, event: EventRecord) -> ProductWeek | None:
        """The week that a purchase of a known product counts in."""
        product_id = event.product_id
        if (
            event.type is not EventType.PURCHASE
            or product_id is None
            or self._parts.catalogue.product(product_id) is None
        ):
            return None
        start = week_start(week_of(event.at.timestamp()))
        return ProductWeek(product_id, start, 1, event.list_minor, event.price_minor)

    def _count(self, kept: Sequence[EventRecord]) -> None:
        """Let the next quote know what the store does, and not wait for it."""
        if not kept:
            return
        self._parts.shoppers.refresh({event.shopper_id for event in kept})
        self._parts.catalogue.count([week for event in kept if (week := self._week(event)) is not None])
        with self._remembering:  # erasure takes it too: nothing is read that is being forgotten
            self._parts.pipeline.observer.reader.read_ahead([e.shopper_id for e in kept], self._parts.clock.now())

    def _on_behaviour_clock(self, event: EventRecord) -> EventRecord:
        return replace(event, at=self._parts.store_clock.behaviour_time(event.at))
