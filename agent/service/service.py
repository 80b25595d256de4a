"""Service: one merchant's pipeline, memory and store behind one thread-safe object."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Final

from agent.domain.decision import Decision
from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, RecommendationRequest
from agent.pricing.standing_quotes import Priced
from agent.service.answering import AnsweringService
from agent.service.components import Components
from agent.service.event_reports import refusal_of
from agent.service.feedback import record_events, record_outcomes, record_reports
from agent.service.outcome_reports import AnsweredReport, ReportedOutcomes
from agent.service.outcome_sequence import OutcomeReport
from agent.service.privacy import ShopperData, collect_shopper, erase, forget_erased, purge
from agent.service.readiness import Readiness, check_readiness
from agent.service.shopper_keeper import ShopperKeeper
from agent.state.store_follower import Followed
from agent.store.codec import Offer
from agent.store.erasure import Erased
from models.progress import Progress
from models.registry.registry import ModelKind, Registry

_PATIENCE_S: Final = 1.0
"""Longest wait for a moment without a quote, before a shopper's memory is worked out beside one."""
_PRODUCTS: Final = 32  # searched in one turn, two milliseconds


class Service(AnsweringService):
    """All operations of one merchant's Pricesmith. Synchronous and thread-safe.

    Quotes are made one batch at a time; all other calls run beside them.
    """

    def __init__(self, parts: Components, rebuild: Callable[[Components], Components]) -> None:
        """Own the parts until `close`; `rebuild` makes new ones, with the model versions that are active then."""
        super().__init__(parts)
        self._rebuild = rebuild
        self._remembering = Lock()
        self._reloading = Lock()
        self._following = Lock()
        self._keeping = Lock()
        self._keeper = ShopperKeeper()
        self._kept_s = 0.0
        self._refused: Mapping[ModelKind, str] = {}
        self._closed = False

    def quote(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Price requests; one decision or refusal each, in order. A request made again may get its earlier quote."""
        return [one.answer for one in self.priced(requests)]

    def priced(self, requests: Sequence[QuoteRequest]) -> list[Priced]:
        """Answer like `quote`, and say which answers are earlier quotes that stand."""
        standing = self._parts.standing
        found = standing.find(requests, self._parts.clock.now())
        rows = [row for row, answer in enumerate(found.answers) if answer is None]
        fresh: dict[int, Decision | Refusal] = {}
        if rows:
            with self._quoting:
                answers = self._parts.pipeline.quote([requests[row] for row in rows], self._parts.clock.now())
            fresh = dict(zip(rows, answers, strict=True))
            standing.remember(requests, found, fresh)
        return [
            Priced(fresh[row]) if answer is None else Priced(answer, again=True)
            for row, answer in enumerate(found.answers)
        ]

    def add_outcomes(self, reports: Sequence[OutcomeReport]) -> list[OutcomeRecord | Refusal]:
        """Record outcomes; the stored outcome or a refusal each, in order."""
        return self._report(reports).answers

    def add_outcome(self, report: OutcomeReport) -> AnsweredReport:
        """Record one outcome."""
        reported = self._report([report])
        return AnsweredReport(reported.answers[0], bool(reported.fresh))

    def _report(self, reports: Sequence[OutcomeReport]) -> ReportedOutcomes:
        parts = self._parts
        offers = parts.store.offers(report.quote_id for report in reports)
        reported = ReportedOutcomes(reports, offers, parts.clock.now())
        sales = record_reports(parts, reported, offers)
        if reported.fresh:
            self._follow_memory()
            self._read_ahead([one.shopper_id for one in sales])
            self.replay_outcomes(offers)
        return reported

    def add_events(self, events: Sequence[EventRecord]) -> Refusal | None:
        """Record behaviour events, all or none; purchases count as sales of their product.

        Events that were recorded before change nothing.
        """
        refusal = refusal_of(events, self.product, self._parts.clock.now())
        new = self.keep_events(events) if refusal is None else []
        if new:
            self._follow_memory()
            self._read_ahead([one.shopper_id for one in new])
        return refusal

    def keep_events(self, events: Sequence[EventRecord]) -> list[EventRecord]:
        """Record one batch of an import and return the new ones; call `follow` after the last to quote with them."""
        return record_events(self._parts.store, self._parts.store_clock, events)

    def import_outcomes(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """Record outcomes of offers made elsewhere, with their sales, and bring them into memory."""
        self.keep_outcomes(outcomes)
        self.follow()

    def keep_outcomes(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """Record one batch of an import; call `replay_outcomes` after the last, or `follow` to quote with them."""
        record_outcomes(self._parts.store, self._parts.store_clock, outcomes)

    def replay_outcomes(self, offers: Mapping[str, Offer] | None = None) -> None:
        """Replay outcomes after the watermark into the index and the learner; `offers` saves reading them again."""
        with self._remembering:
            self._parts.outcomes.catch_up(self._parts.store)
            self._parts.learner.catch_up(self._parts.store, offers)

    def follow(self) -> Followed:
        """Bring memory up to the store, whichever process wrote; returns what was new.

        Raises:
            StoreError: The store failed; the next call tries the same changes again.
        """
        found = self._follow_memory()
        self._parts.strategies.follow()
        if found.erasures:
            with self._remembering:
                forget_erased(self._parts)
        last = self._parts.follower.marks.outcome
        if last > min(self._parts.outcomes.memory.watermark, self._parts.learner.watermark):
            self.replay_outcomes()
        return found

    def leads(self) -> bool:
        """Tell whether this process does what only one of those that serve the data folder should do.

        The first that asks leads until it closes or ends.
        """
        return not self._closed and self._parts.lead.take()

    def keep_shopper(self, *, patient: bool = True) -> bool:
        """Work out the memory of one shopper ahead of quotes; False when there is nothing to do.

        Quotes go on meanwhile. While one is being made a patient call does nothing but wait for its next turn.

        Raises:
            StoreError: The store failed; the shopper is worked out again later.
        """
        if patient and self._quoting.locked() and monotonic() - self._kept_s < _PATIENCE_S:
            return True
        with self._keeping:
            if self._closed:
                return False
            now = self._parts.clock.now()
            shopper_id = self._keeper.next(self._parts, now)
            if shopper_id is not None:
                with self._remembering, self._following:
                    if self._closed:
                        return False
                    self._keeper.work_out(self._parts, shopper_id, now)
            self._kept_s = monotonic()
            stored = self._keeper.store(self._parts, all_of_them=shopper_id is None)
        return shopper_id is not None or stored > 0

    def fill_shoppers(self, progress: Progress, most: int | None = None) -> int:
        """Work out the memory of all shoppers who need it, at most of `most`, in batches; returns their number.

        For commands, which make no quotes meanwhile.

        Raises:
            StoreError: The store failed; what was stored before is kept.
        """
        with self._keeping, self._remembering, self._following:
            return self._keeper.fill(self._parts, self._parts.clock.now(), most, progress)

    def keep_products(self) -> bool:
        """Work out what quotes need of some products, ahead of them; False when there is nothing to do."""
        return self._parts.pipeline.retriever.similar.fill(_PRODUCTS)

    def warm_up(self) -> None:
        """Encode the categories of most products, so that first quotes need not."""
        self._parts.catalogue.encode_categories()

    def product(self, product_id: str) -> ProductRecord | None:
        """A product as it stands; None when unknown."""
        return self._parts.catalogue.product(product_id)

    def upsert_products(self, products: Sequence[ProductRecord]) -> None:
        """Add or replace products; they are searchable when this returns."""
        self._parts.catalogue.upsert(products, self._parts.clock.now())
        self._follow_memory()

    def remove_product(self, product_id: str) -> bool | None:
        """Take a product out of sale until it is put again; it can be found and priced no more when this returns.

        Returns:
            False when it was removed before, None when it never was known.
        """
        removed = self._parts.store.remove_product(product_id)
        self._follow_memory()
        return removed

    def recommend(
        self, request: RecommendationRequest, id_of: Callable[[int], str | None] | None = None
    ) -> list[Decision]:
        """Priced products for a shopper, best first; `id_of` gives the id for the quote at a position."""
        with self._quoting:
            now = self._parts.clock.now()
            quotes = self._parts.ranker.rank(request, now)
            if id_of is not None:
                quotes = [quote.tagged(id_of(position)) for position, quote in enumerate(quotes)]
            answers = self._parts.pipeline.quote(quotes, now) if quotes else []
        return [answer for answer in answers if isinstance(answer, Decision)]

    def shopper(self, shopper_id: str) -> ShopperData | None:
        """All stored data of a shopper; None when there is none."""
        with self._quoting:
            return collect_shopper(self._parts, shopper_id, self._parts.clock.now())

    def set_shopper(self, record: ShopperRecord) -> None:
        """Set a shopper's profile and consent, from the next quote on."""
        self._parts.store.upsert_shoppers([record])
        self._read_ahead([record.shopper_id])

    def erase_shopper(self, shopper_id: str) -> Erased:
        """Erase a shopper's data on disk and in memory; prices and sales stay, without the shopper."""
        with self._reloading, self._remembering:
            erased = erase(self._parts, shopper_id)
            self._follow_memory()
            return erased

    def purge(self, before: datetime) -> Erased:
        """Erase personal data from before a moment, on disk and in memory."""
        with self._reloading, self._remembering:
            erased = purge(self._parts, before)
            self._follow_memory()
            return erased

    def reload(self) -> Mapping[ModelKind, str] | None:
        """Switch to the model versions that are active now; returns them, None when nothing changed.

        Quotes go on with the old versions until the new parts are ready. Versions that fail to load leave the old ones
        in use, and are not tried again until something else is activated.

        Raises:
            RegistryError: The active versions are damaged or do not fit together.
        """
        with self._reloading:
            old = self._parts
            wanted = Registry(old.folder.models).in_use()
            if self._closed or wanted in (old.in_use, self._refused):
                return None
            try:
                fresh = self._rebuild(old)
            except Exception:
                self._refused = wanted
                raise
            with self._quoting, self._remembering, self._following:
                if self._closed:
                    return None
                self._replace(old, fresh)
            return fresh.in_use

    def _replace(self, old: Components, fresh: Components) -> None:
        """Put new parts in use, brought up to what happened while they were built."""
        if fresh.catalogue is not old.catalogue:
            fresh.catalogue.index_changed()
        fresh.outcomes.catch_up(fresh.store)
        fresh.learner.catch_up(fresh.store)
        fresh.follower.marks = old.follower.marks
        if fresh.strategies is not old.strategies:
            old.strategies.close()
        self._parts, self._refused = fresh, {}

    def write_strategies(self, timeout_s: float = 60.0) -> bool:
        """Wait until the language model has written for all situations met so far; False when it took too long."""
        return self._parts.strategies.drain(timeout_s)

    def readiness(self) -> Readiness:
        """Check whether quotes can be made."""
        return check_readiness(self._parts, closing=self._closed)

    def close(self) -> None:
        """Save snapshots of what changed, unless another process leads, and close the store."""
        if self._closed:
            return
        self._closed = True
        parts = self._parts
        with self._keeping, self._quoting, self._remembering:
            parts.strategies.close()
            if parts.lead.take():
                self._save(parts)
            parts.store.close()
            parts.lead.release()

    def _save(self, parts: Components) -> None:
        if parts.outcomes.memory.unsaved:
            parts.outcomes.memory.save(parts.folder.outcome_memory)
        parts.learner.save()
        if parts.catalogue.index.unsaved:
            parts.catalogue.index.save(parts.folder.product_index)

    def _follow_memory(self) -> Followed:
        with self._following:
            if self._closed:
                return Followed()
            found = self._parts.follower.follow()
            if found.erasures:
                self._parts.pipeline.observer.reader.forget_texts()
                self._parts.row_scorer.forget()
                self._parts.store.forget_live_quotes()
                self._parts.standing.forget()
            return found

    def _read_ahead(self, shopper_ids: Sequence[str]) -> None:
        """Read shoppers of whom something was told ahead, so that their next quote need not."""
        with self._remembering:  # erasure takes it too: nothing is read that is being erased
            self._parts.pipeline.observer.reader.read_ahead(shopper_ids, self._parts.clock.now())
