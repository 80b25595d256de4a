"""Response models for recommendations."""

from collections.abc import Sequence

from pydantic import BaseModel

from agent.api.responses.shopper_quotes import AnyQuote, Shown, shown_quote
from agent.domain.decision import Decision


class RecommendedProduct(BaseModel):
    """A recommended product."""

    id: str
    title: str


class RecommendationAnswer(BaseModel):
    """A recommended product and its quote."""

    product: RecommendedProduct
    quote: AnyQuote


class RecommendationsAnswer(BaseModel):
    """Recommendations, best first."""

    items: list[RecommendationAnswer]


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
