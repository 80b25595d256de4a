"""Response models for recommendations."""

from collections.abc import Sequence

from agent.api.responses.answer import Answer
from agent.api.responses.shopper_quotes import Shown, ShownQuote, shown_quote
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


def recommendations_answer(decisions: Sequence[Decision], shown: Shown) -> RecommendationsAnswer:
    """Priced products in the order given, in a view."""
    return RecommendationsAnswer(
        items=[
            RecommendationAnswer(
                product=RecommendedProduct(id=decision.product_id or "", title=decision.product_title),
                quote=shown_quote(decision, shown),
            )
            for decision in decisions
        ]
    )
