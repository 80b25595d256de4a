"""Decisions: candidate prices with three scores each, the price chosen, and everything that led to it.

A price is *held* when the answer is the reference price, the one that everyone may pay. The pipeline makes decisions,
the store keeps them, HTTP shows a part of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.domain.candidates import NO_ORIGIN, CandidateColumns, PastOutcomeColumns, ScoreOrigin, Scores, Source
from models.evaluator.lesson import Lesson
from models.strategist.strategy import Strategy


class Rung(StrEnum):
    """Fallback level that the deadline allowed, slowest first: how candidates were obtained, not who proposed one."""

    MODEL = "model"
    """The language model's candidates, written while the quote waited: by commands and evaluations alone."""
    CACHED = "cached"
    """The language model's candidates for an equal prompt, written for an earlier request."""
    NUMERIC = "numeric"
    REFERENCE = "reference"


class HeldReason(StrEnum):
    """Reason for holding the reference price."""

    OPTED_OUT = "opted_out"
    """The shopper declined personalised prices."""
    HELD_BY_MERCHANT = "held_by_merchant"
    """The merchant holds all prices (kill switch)."""
    NOT_IN_THIS_TRADE = "not_in_this_trade"
    """The merchant's trade (its pack) makes no personalised prices unless the merchant allows them."""
    UNKNOWN_COST = "unknown_cost"
    """Neither cost nor floor is known, so that nothing bounds a loss."""
    BARRED_BY_LAW = "barred_by_law"
    """The law of the place allows no personal prices of such goods."""
    COST_NOT_COVERED = "cost_not_covered"
    """The cost, or its minimum margin, is above the reference price and above what the limits allow."""
    NO_TIME = "no_time"
    """The deadline left no time to look for another price."""
    NOTHING_BETTER = "nothing_better"
    """No candidate is expected to be worth more."""
    NOT_SURE = "not_sure"
    """A candidate looked better, but not surely enough."""
    CONTROL = "control"
    """Randomised control: the reference price, so that other prices can be compared with it."""

    @property
    def is_chosen(self) -> bool:
        """Whether candidates were compared and the reference price won or was drawn."""
        return self in (HeldReason.NOTHING_BETTER, HeldReason.NOT_SURE, HeldReason.CONTROL)


class GuardAction(StrEnum):
    """Effect of the limits on the proposed price; where several apply, the first of this list."""

    HELD = "held"
    """No personalised price may be made: the reference price."""
    CONFLICT = "conflict"
    """Two limits exclude each other; the harder one won."""
    FORCED = "forced"
    """The limits leave one price only, whatever is proposed."""
    MOVED = "moved"
    """A limit or the rounding moved the price."""
    PASSED = "passed"
    """The price was within the limits."""


@dataclass(frozen=True, slots=True)
class TrailStep:
    """A rule that moved the price, in minor units; `detail` gives the reason in words."""

    rule: str
    from_minor: int
    to_minor: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SimilarProduct:
    """A retrieved product; `price_minor` is its list price."""

    product_id: str
    title: str
    price_minor: int | None
    currency: str
    similarity: float


@dataclass(frozen=True, slots=True)
class IgnoredInput:
    """An input that was not used, and why."""

    input: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reduction:
    """A price reduction as it may be announced.

    Attributes:
        prior_minor: Lowest price open to everybody in the `days` before the reduction began, minor units.
        began: When the reduction began.
        percent: Whole percent off it, rounded down.
    """

    prior_minor: int
    began: datetime
    days: int
    percent: int


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that the page with the price must do, and the source that demands it."""

    do: str
    source: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Notice to the shopper, computed from the inputs actually used, as it was to be displayed.

    Fields with defaults are missing in decisions recorded before they were.

    Attributes:
        law: Code and version of the law applied, such as `EU/1`; None in decisions recorded before laws had versions.
        option: Mention of the price for everyone; None where this price is it.
        reduction: Price reduction that may be announced; None where none may be.
        language: Of the text: `en` or `zh`.
        placement: Where and how the notice must stand; None where the law does not say, or no notice is required.
        duties: What else the page must do there.
        consent: Reason that the shopper was told before consenting to a higher price, where the price is one.
    """

    required: bool
    text: str
    jurisdiction: str | None
    inputs_used: tuple[str, ...]
    inputs_ignored: tuple[IgnoredInput, ...]
    law: str | None = None
    option: str | None = None
    reduction: Reduction | None = None
    language: str | None = None
    placement: str | None = None
    duties: tuple[Duty, ...] = ()
    consent: str | None = None


@dataclass(frozen=True, slots=True)
class CompetitorRecord:
    """A competitor's price that entered a decision: its source, and whether anyone can see it, as the request says."""

    price_minor: int
    source: str
    public: bool | None


@dataclass(frozen=True, slots=True)
class Reason:
    """A personal input, and the amount by which it raised the price of a unit, in minor units."""

    input: str
    raised_minor: int


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions that made a decision; `rules` is empty in decisions recorded before rules had versions.

    `identified_by` is where the evaluator's price response is known from, empty in decisions recorded without it.
    """

    encoder: str
    strategist: str
    evaluator: str
    prompt: str
    index: str
    rules: str = ""
    identified_by: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One priced quote as recorded. All prices are per unit, in minor units of `currency`.

    Attributes:
        rationale: The choice in words, for people; `held` and the candidates' `origin` say it for code.
        reference_minor: The price for everyone at the decision.
        list_minor: The product's list price, None where unknown.
        interest: Predicted interest in the product's category, 0-1.
        confidence: Share of posterior draws that agree with the choice, 0-1.
        personalised: Personal data made this another price than the reference price (`agent.rules.disclosure`).
        propensity: Probability with which selection shows this final price, for off-policy evaluation.
        lesson: Inputs for the online update that follows its outcome; None in decisions recorded without them.
        held: Why the reference price was held; None where another price was chosen or no reason was recorded.
        guard: Effect of the limits; None where it was not recorded.
        explored: The price was shown to learn how it sells, not because it is expected to be worth most.
        cost_minor: Cost of a unit as known at the decision.
        competitor_prices: Competitors' prices that entered, those whose source or publicness the request told.
        score_origin: Origin of what the scores rest on.
    """

    id: str
    at: datetime
    valid_until: datetime
    shopper_id: str | None
    product_id: str | None
    product_title: str
    currency: str
    quantity: int
    price_minor: int
    reference_minor: int
    list_minor: int | None
    strategy: Strategy
    source: Source
    rationale: str
    scores: Scores | None
    interest: float | None
    confidence: float
    personalised: bool
    rung: Rung
    trail: tuple[TrailStep, ...]
    similar: tuple[SimilarProduct, ...]
    evidence: PastOutcomeColumns
    candidates: CandidateColumns
    disclosure: Disclosure
    propensity: float
    versions: Versions
    timing_ms: Mapping[str, float]
    token: str
    lesson: Lesson | None = None
    held: HeldReason | None = None
    guard: GuardAction | None = None
    explored: bool = False
    cost_minor: int | None = None
    competitor_prices: tuple[CompetitorRecord, ...] = ()
    score_origin: ScoreOrigin = NO_ORIGIN

    @property
    def set_by_limits(self) -> bool:
        """Check whether the limits, not the strategy, set the price: they leave one only, or exclude each other."""
        return limits_set_price(self.guard, self.price_minor != self.reference_minor, bool(self.trail))

    @property
    def strategy_name(self) -> str:
        """Display name of the strategy; of the rule that set the price instead where one did."""
        return f"limits: {self.trail[-1].rule}" if self.set_by_limits and self.trail else self.strategy.name


def limits_set_price(guard: GuardAction | None, off_reference: bool, moved: bool) -> bool:
    """Whether the limits set a price: given their effect, is it off the reference, did rules move it."""
    if guard is GuardAction.HELD:
        return off_reference
    return guard in (GuardAction.CONFLICT, GuardAction.FORCED) and moved


@dataclass(frozen=True, slots=True)
class QuoteClaims:
    """Claims of a quote token: the price of a unit, in minor units, until `valid_until` (whole seconds)."""

    quote_id: str
    product_id: str | None
    shopper_id: str | None
    quantity: int
    price_minor: int
    currency: str
    fraction_digits: int
    issued_at: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class CheckoutClaim:
    """The cart's claim at checkout; fields that it leaves out are not compared."""

    quantity: int | None = None
    product_id: str | None = None
    shopper_id: str | None = None

    def mismatches(self, claims: QuoteClaims) -> tuple[str, ...]:
        """Names of fields that differ from the token. A token without shopper fits any, without product none."""
        wrong = {
            "quantity": self.quantity is not None and self.quantity != claims.quantity,
            "product_id": self.product_id is not None and self.product_id != claims.product_id,
            "shopper_id": self.shopper_id is not None and claims.shopper_id not in (None, self.shopper_id),
        }
        return tuple(name for name, found in wrong.items() if found)
