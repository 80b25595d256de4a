"""Response models of quotes, for the OpenAPI document; `quote_json` writes their fields."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from agent.api.responses.answer import Answer
from agent.api.responses.disclosure import DisclosureAnswer
from agent.api.responses.money import MoneyAnswer
from agent.api.responses.outcomes import OutcomeAnswer
from agent.api.responses.shown import View
from agent.domain.candidates import Source
from agent.domain.decision import Rung
from models.strategist.strategy import Lever


class ScoreAnswer(Answer):
    """A score and its 90 % interval."""

    value: float
    """The best estimate."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


class ScoresAnswer(Answer):
    """Three scores of a price."""

    purchase_probability: ScoreAnswer
    """Chance that the shopper buys, 0 to 1."""
    profit: ScoreAnswer
    """Expected profit of the whole quantity, in minor units."""
    satisfaction: ScoreAnswer
    """Probability, given that the shopper buys at this price, that they are content (returns, ratings), 0 to 1."""


class StrategyAnswer(Answer):
    """The pricing strategy, its source, and the reason in words."""

    name: str
    """The strategy in short, such as `discount: reference -12 %, charm`."""
    lever: Lever
    """Reason for the change of price."""
    source: Source
    """Who proposed it."""
    rationale: str
    """The reason in words."""


class TrailAnswer(Answer, title="TrailStep"):
    """A rule that moved the price."""

    rule: str
    """Name of the rule."""
    from_: MoneyAnswer = Field(alias="from")
    """The price before."""
    to: MoneyAnswer
    """The price after."""
    detail: str
    """The reason in words."""


class SimilarAnswer(Answer, title="SimilarProduct"):
    """A similar product."""

    id: str
    """Id of the product."""
    title: str
    """Its name."""
    price: MoneyAnswer | None
    """Its list price."""
    similarity: float
    """Cosine of the two products' vectors, at most 1."""


class EvidenceAnswer(Answer, title="PastOutcome"):
    """A retrieved past outcome, without its shopper."""

    product_id: str
    """Id of the product."""
    price_ratio: float
    """The offered price over its reference price."""
    bought: bool
    """Whether the offer was bought."""
    similarity: float
    """How alike the situations were, at most 1."""


class CompetitorAnswer(Answer, title="UsedCompetitorPrice"):
    """A competitor's price that entered, as the request told of it."""

    price: MoneyAnswer
    """The competitor's price."""
    source: str
    """Where it comes from; empty where that was not told."""
    public: bool | None
    """Whether anyone can see it; null where that was not told."""


class CandidateAnswer(Answer):
    """A candidate price."""

    strategy: StrategyAnswer
    """The strategy that it comes from."""
    price: MoneyAnswer
    """Price of one unit."""
    scores: ScoresAnswer
    """What the price is expected to do."""
    probability: float
    """Chance with which it was chosen, 0 to 1."""
    chosen: bool
    """Whether it is the one shown."""


class QuoteAnswer(Answer, title="Quote"):
    """A priced quote in the merchant's view; prices are per unit."""

    view: Literal[View.MERCHANT] = View.MERCHANT
    """Tells this view from the shopper's."""
    id: str
    """Id of the quote; outcomes name it."""
    at: datetime
    """When it was made."""
    product_id: str | None
    """Id of the product; null for one that was only described."""
    shopper_id: str | None
    """Id of the shopper; null for a stranger."""
    quantity: int
    """Units wanted."""
    price: MoneyAnswer
    """The price to show."""
    reference_price: MoneyAnswer
    """The price without personal data, the one that everyone may pay."""
    list_price: MoneyAnswer | None
    """The list price."""
    strategy: StrategyAnswer
    """Where the price comes from."""
    scores: ScoresAnswer | None
    """What the price is expected to do; null where nothing was scored."""
    interest: float | None
    """The shopper's interest in this category, 0 to 1."""
    confidence: float
    """How sure the choice is, 0 to 1."""
    personalised: bool
    """Whether personal data moved the price."""
    rung: Rung
    """How candidates were found within the deadline."""
    trail: list[TrailAnswer]
    """Rules that moved the price, in order."""
    similar: list[SimilarAnswer]
    """Similar products."""
    evidence: list[EvidenceAnswer]
    """Past outcomes that were most alike."""
    candidates: list[CandidateAnswer] | None = None
    """Every price that was scored, best first; null unless asked for with `include=candidates`."""
    disclosure: DisclosureAnswer
    """Notice to the shopper."""
    competitor_prices: list[CompetitorAnswer]
    """Competitors' prices that entered, those with a source or publicness told."""
    propensity: float
    """Chance with which this price was chosen, for evaluation of policies."""
    valid_until: datetime
    """When the quote expires."""
    token: str
    """The signed quote: verify it at the checkout."""
    versions: dict[str, str]
    """Versions of models, prompt and index, by part."""
    identified_by: str | None = Field(
        default=None,
        description="Where the price response behind the scores is known from: `random_prices`, `cost_changes`, "
        "`imported_inputs`, `confounded`, the `demo_store`, or a `prior` from other shops; null in earlier quotes.",
    )
    satisfaction_source: str | None = Field(
        default=None,
        description="Where satisfaction is known from: `own_outcomes`, the `demo_store`, or a `prior`; null without "
        "scores and in earlier quotes.",
    )
    priors: list[str] = Field(
        default=[],
        description="Of `intent`, `rival`, `trend`, `satisfaction`: what the scores rest on and no outcome told of.",
    )
    timing_ms: dict[str, float]
    """Milliseconds by step."""


class RecordedQuote(QuoteAnswer):
    """A quote as recorded, with its outcomes."""

    outcomes: list[OutcomeAnswer]
    """Outcomes reported for it, oldest first."""
