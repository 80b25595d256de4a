"""Answers of the HTTP contract, version 1, but for quotes themselves."""

from datetime import datetime

from pydantic import BaseModel

from agent.api.problems import ProblemDetails
from agent.api.responses.quotes import MoneyAnswer, OutcomeAnswer, QuoteAnswer, money
from agent.service.auth.quote_tokens import TokenStatus, Verification


class RowAnswer(BaseModel):
    """One row of a batch: its quote, or what was wrong with it."""

    status: int
    quote: QuoteAnswer | None = None
    problem: ProblemDetails | None = None


class BatchAnswer(BaseModel):
    """Rows in the order they were asked."""

    results: list[RowAnswer]


class OutcomeRow(BaseModel):
    """One row of a list of outcomes."""

    status: int
    outcome: OutcomeAnswer | None = None
    problem: ProblemDetails | None = None


class OutcomesAnswer(BaseModel):
    """Rows in the order they came."""

    results: list[OutcomeRow]


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


class VerifyAnswer(BaseModel):
    """Whether a token holds, and what it promises; a tampered one promises nothing.

    `mismatches` names what the request told and the token does not promise; `used_at` is when its quote was bought.
    """

    status: TokenStatus
    quote_id: str | None = None
    price: MoneyAnswer | None = None
    product_id: str | None = None
    shopper_id: str | None = None
    quantity: int | None = None
    valid_until: datetime | None = None
    mismatches: list[str] = []
    used_at: datetime | None = None


class ReasonAnswer(BaseModel):
    """A personal input, and by how much it raised the price of a unit."""

    input: str
    raised: MoneyAnswer


class ReasonsAnswer(BaseModel):
    """The principal reasons of a price, most first; none where no personal input raised it."""

    reasons: list[ReasonAnswer]


class AcceptedAnswer(BaseModel):
    """How many rows were taken."""

    accepted: int


class ReadyAnswer(BaseModel):
    """Whether quotes can be made; `checks` names what is wrong."""

    ready: bool
    checks: dict[str, str]


class KeyAnswer(BaseModel):
    """One public key (RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeysAnswer(BaseModel):
    """A JSON Web Key Set (RFC 7517): the keys of tokens that may still be valid, the one that signs now first."""

    keys: list[KeyAnswer]


def verify_answer(verification: Verification) -> VerifyAnswer:
    """What a token is worth."""
    claims = verification.claims
    if claims is None:
        return VerifyAnswer(status=verification.status)
    return VerifyAnswer(
        status=verification.status,
        quote_id=claims.quote_id,
        price=money(claims.price_minor, claims.currency),
        product_id=claims.product_id,
        shopper_id=claims.shopper_id,
        quantity=claims.quantity,
        valid_until=claims.valid_until,
        mismatches=list(verification.mismatches),
        used_at=verification.used_at,
    )
