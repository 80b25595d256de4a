"""Recommendations: response models for the OpenAPI document, and the answer as JSON."""

from collections.abc import Sequence

from agent.api.responses.answer import Answer
from agent.api.responses.quote_json import encode, quote_fields
from agent.api.responses.shopper_quotes import ShownQuote
from agent.api.responses.shown import Shown
from agent.domain.decision import Decision


class RecommendedProduct(Answer):
    """A recommended product."""

    id: str
    """Id of the product."""
    title: str
    """Its name."""


class RecommendationAnswer(Answer):
    """A recommended product and its quote."""

    product: RecommendedProduct
    """The product."""
    quote: ShownQuote
    """Its price for the shopper."""


class RecommendationsAnswer(Answer, title="RecommendationList"):
    """Recommendations for a shopper."""

    items: list[RecommendationAnswer]
    """The recommendations, best first."""


def recommendations_json(decisions: Sequence[Decision], shown: Shown) -> bytes:
    """Priced products in the order given, in a view (`RecommendationsAnswer`)."""
    items = [
        {
            "product": {"id": decision.product_id or "", "title": decision.product_title},
            "quote": quote_fields(decision, shown),
        }
        for decision in decisions
    ]
    return encode({"items": items})
