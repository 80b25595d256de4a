"""Response models for recommendations."""

from collections.abc import Sequence

from pydantic import BaseModel

from agent.api.responses.quotes import QuoteAnswer, quote_answer
from agent.domain.decision import Decision


class RecommendedProduct(BaseModel):
    """A recommended product."""

    id: str
    title: str


class RecommendationAnswer(BaseModel):
    """A recommended product and its quote."""

    product: RecommendedProduct
    quote: QuoteAnswer


class RecommendationsAnswer(BaseModel):
    """Recommendations, best first."""

    items: list[RecommendationAnswer]


def recommendations_answer(decisions: Sequence[Decision]) -> RecommendationsAnswer:
    """Priced products in the order given, without their candidates."""
    return RecommendationsAnswer(
        items=[
            RecommendationAnswer(
                product=RecommendedProduct(id=decision.product_id or "", title=decision.product_title),
                quote=quote_answer(decision, candidates=False),
            )
            for decision in decisions
        ]
    )
