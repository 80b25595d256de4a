"""Answers of a running service that change nothing: recorded quotes, scores, explanations, previews."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

from agent.domain.candidates import ScoreOrigin, Scores
from agent.domain.decision import CheckoutClaim, Decision, Reason
from agent.domain.records import OutcomeRecord, OutcomeType
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.explain.answers import Explanation
from agent.explain.explainer import AnswerStream, collect
from agent.explain.leave_one_out import principal_reasons
from agent.explain.log_facts import LogFacts
from agent.explain.questions import QuestionInput
from agent.explain.quote_facts import QuoteFacts
from agent.pricing.counterfactuals import Counterfactuals
from agent.pricing.score_at_prices import PricedRow
from agent.rules.book import RuleBook
from agent.rules.effective_rules import MerchantRules
from agent.rules.kill_switch import KillSwitch
from agent.rules.preview import Preview, preview
from agent.service.auth.quote_tokens import TokenStatus, Verification
from agent.service.components import Components
from agent.service.serving_models import identified_by
from agent.store import StoreKind
from agent.store.data_folder import DataFolder
from models.registry.registry import ModelKind, Registry


@dataclass(frozen=True, slots=True)
class LearningProgress:
    """Progress of online learning: number of updates, and how often outcomes drifted away from predictions."""

    lessons: int
    drift_alarms: int


class AnsweringService:
    """Reads one merchant's Pricesmith; `Service` adds what changes it."""

    def __init__(self, parts: Components) -> None:
        """Answer from `parts`, which a reload replaces."""
        self._parts = parts
        self._quoting = Lock()

    def drafts(self, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        """Price requests without recording anything or drawing at random."""
        with self._quoting:
            return self._parts.pipeline.counterfactual().quote(requests, self._parts.clock.now())

    def score(self, rows: Sequence[PricedRow]) -> list[Scores | Refusal]:
        """Score rows at their prices; one result or refusal each, in order. Nothing is recorded."""
        with self._quoting:
            return self._parts.row_scorer.score(rows, self._parts.clock.now())

    def decision(self, quote_id: str) -> Decision | None:
        """A recorded decision; None when the id is unknown."""
        return self._parts.store.decision(quote_id)

    def outcomes_of(self, quote_id: str) -> list[OutcomeRecord]:
        """Outcomes of a quote, in order of arrival."""
        return self._parts.store.outcomes_of(quote_id)

    def verify(self, token: str, claim: CheckoutClaim | None = None) -> Verification:
        """Check a quote token: signature, time, the cart's claim, and whether its quote was bought already."""
        found = self._parts.signer.verify(token, self._parts.clock.now())
        if found.claims is None or found.status is not TokenStatus.VALID:
            return found
        mismatches = claim.mismatches(found.claims) if claim is not None else ()
        bought = [o for o in self.outcomes_of(found.claims.quote_id) if o.type is OutcomeType.PURCHASED]
        used_at = min((outcome.at for outcome in bought), default=None)
        status = TokenStatus.MISMATCHED if mismatches else TokenStatus.USED if bought else TokenStatus.VALID
        return Verification(status, found.claims, mismatches, used_at)

    def public_keys(self) -> list[dict[str, str]]:
        """Public keys for checking tokens, as JSON Web Keys."""
        return self._parts.signer.published(self._parts.clock.now())

    def explain(self, quote_id: str, ask: QuestionInput) -> Explanation | None:
        """Answer a question about a recorded quote; None when the id is unknown."""
        stream = self.stream_explanation(quote_id, ask)
        return None if stream is None else collect(stream)

    def stream_explanation(self, quote_id: str, ask: QuestionInput) -> AnswerStream | None:
        """Answer like `explain`, one checked sentence at a time."""
        parts = self._parts
        decision = parts.store.decision(quote_id)
        if decision is None:
            return None
        return parts.explainer.stream_quote(
            ask, decision, QuoteFacts(parts.store, parts.store_clock, self._counterfactuals()), parts.clock.now()
        )

    def reasons(self, quote_id: str) -> Sequence[Reason] | None:
        """Personal inputs that raised a price most; None when the id is unknown or its request was erased."""
        decision, asked = self._parts.store.decision(quote_id), self._parts.store.request_of(quote_id)
        if decision is None or asked is None:
            return None
        return principal_reasons(decision, QuoteRequest.model_validate(dict(asked)), self._counterfactuals().quote)

    def question(self, ask: QuestionInput) -> Explanation:
        """Answer a question about many quotes."""
        return collect(self.stream_answer(ask))

    def stream_answer(self, ask: QuestionInput) -> AnswerStream:
        """Answer like `question`, one checked sentence at a time."""
        return self._parts.explainer.stream_log(ask, LogFacts(self._parts.store), self._parts.clock.now())

    @property
    def rules(self) -> RuleBook:
        """The merchant's rules."""
        return self._parts.rules

    @property
    def kill_switch(self) -> KillSwitch:
        """The switch that holds the reference price for every quote."""
        return self._parts.kill_switch

    def preview_rules(self, version: int) -> Preview:
        """Price the last day's quotes again, under the rules in effect and under a version of them."""
        parts = self._parts
        now = parts.clock.now()
        draft = parts.pipeline.counterfactual()

        def under(rules: MerchantRules) -> Counterfactuals:
            ruled = replace(draft, observer=draft.observer.under(rules))
            return Counterfactuals(ruled, parts.row_scorer, parts.shoppers, self._quoting)

        return preview(parts.store, under(parts.rules.current(now)), under(parts.rules.rules(version)), now)

    def learned(self) -> LearningProgress:
        """Progress of online learning in this process."""
        effects = self._parts.learner.effects
        return LearningProgress(effects.lessons, effects.drift.alarms)

    @property
    def identified_by(self) -> str:
        """Source of the evaluator's knowledge of the price response."""
        parts = self._parts
        registry = Registry(parts.folder.models)
        return identified_by(registry, parts.in_use[ModelKind.EVALUATOR], parts.store_kind)

    @property
    def score_origin(self) -> ScoreOrigin:
        """Origin of scores: source of what is known of satisfaction, and all that is a prior."""
        evaluator, abroad = self._parts.pipeline.scorer.evaluator, not self._parts.learner.in_domain
        source = evaluator.satisfaction_source(out_of_domain=abroad)
        return ScoreOrigin(source.value, evaluator.priors(out_of_domain=abroad))

    @property
    def store_kind(self) -> StoreKind:
        """Tell whether the store is the demo's or a shop's own."""
        return self._parts.store_kind

    @property
    def folder(self) -> DataFolder:
        """The merchant's data folder."""
        return self._parts.folder

    def _counterfactuals(self) -> Counterfactuals:
        parts = self._parts
        return Counterfactuals(parts.pipeline.counterfactual(), parts.row_scorer, parts.shoppers, self._quoting)
