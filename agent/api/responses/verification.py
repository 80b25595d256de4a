"""Response models for quote tokens: verification and public keys."""

from datetime import datetime

from pydantic import Field

from agent.api.responses.answer import Answer
from agent.api.responses.money import MoneyAnswer, money
from agent.service.auth.quote_tokens import TokenStatus, Verification


class VerifyAnswer(Answer, title="Verification"):
    """Status of a token and what it promises; a tampered one promises nothing."""

    status: TokenStatus
    """Whether the token may be sold with."""
    quote_id: str | None = None
    """Id of the quote."""
    price: MoneyAnswer | None = None
    """The price of one unit that it promises."""
    product_id: str | None = None
    """Id of the product that it was made for."""
    shopper_id: str | None = None
    """Id of the shopper that it was made for."""
    quantity: int | None = None
    """Units that it was made for."""
    valid_until: datetime | None = None
    """When it expires."""
    mismatches: list[str] = Field(default_factory=list)
    """Fields of the request that differ from the token."""
    used_at: datetime | None = None
    """When its quote was bought."""


class KeyAnswer(Answer, title="PublicKey"):
    """One public key (RFC 8037)."""

    kty: str
    """Key type: `OKP`."""
    crv: str
    """Curve: `Ed25519`."""
    x: str
    """The key, base64url."""
    kid: str
    """Id of the key, as in the head of a token."""
    use: str
    """What for: `sig`."""
    alg: str
    """Algorithm: `EdDSA`."""


class KeysAnswer(Answer, title="PublicKeys"):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[KeyAnswer]
    """The keys of tokens that may still be valid, the signing key first."""


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
