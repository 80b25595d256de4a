"""Response models for quote tokens: verification and public keys."""

from datetime import datetime

from pydantic import BaseModel

from agent.api.responses.money import MoneyAnswer, money
from agent.service.auth.quote_tokens import TokenStatus, Verification


class VerifyAnswer(BaseModel):
    """Status of a token and what it promises; a tampered one promises nothing.

    `mismatches` names the fields of the request that differ from the token; `used_at` is when its quote was bought.
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


class KeyAnswer(BaseModel):
    """One public key (RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeysAnswer(BaseModel):
    """A JSON Web Key Set (RFC 7517): the keys of tokens that may still be valid, the signing key first."""

    keys: list[KeyAnswer]


def verify_answer(verification: Verification) -> VerifyAnswer:
    """A verification as the contract has it."""
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
