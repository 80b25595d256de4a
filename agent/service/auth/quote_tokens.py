"""Quote tokens: a price that a cart can verify at checkout, offline, with the public key alone.

A token is a JSON Web Token signed with Ed25519 (RFC 8037). It names the shopper, when there is one: whoever holds it
can read it, nobody can change it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, Literal

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_decode, base64url_encode
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.domain.decision import QuoteClaims
from agent.service.auth.signing_keys import KeySet, TokenKeyError, load_keys, stamp

__all__ = ["TokenKeyError", "TokenSigner", "TokenStatus", "Verification"]

FOLLOW_S: Final = 1.0  # a process signs with a new key this late at most; it checks with one at once
_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "pricesmith-quote+jwt"  # other tokens signed with this key, should there ever be any, are not quotes
_MAX_CHARS: Final = 8_192
_JWS: Final = jwt.PyJWS(algorithms=[_ALGORITHM])  # the signature alone: time and content are checked here


class TokenStatus(StrEnum):
    """What a token is worth."""

    VALID = "valid"
    EXPIRED = "expired"
    TAMPERED = "tampered"
    MISMATCHED = "mismatched"
    """Genuine and in time, and for another quantity, product or shopper than was told."""
    USED = "used"
    """Genuine and in time, and its quote was bought already."""


@dataclass(frozen=True, slots=True)
class Verification:
    """A token's status and what it holds; a tampered token holds nothing.

    `mismatches` names what was told and is not in the token; `used_at` is when its quote was bought first.
    """

    status: TokenStatus
    claims: QuoteClaims | None
    mismatches: tuple[str, ...] = ()
    used_at: datetime | None = None


class _Payload(BaseModel):
    """The token's body. Names outside JWT's own are spelt out, for a cart in any language to read."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    iss: Literal["pricesmith"] = "pricesmith"
    sub: str
    product: str | None = None
    shopper: str | None = None
    quantity: int
    price_minor: int
    currency: str
    fraction_digits: int
    iat: int
    exp: int


class TokenSigner:
    """Signs with one Ed25519 key, verifies with those before it too. Safe for several threads."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        """Use `private_key` alone; most callers want `load_or_create`."""
        self._keys = KeySet(private_key)
        self._path: Path | None = None
        self._stamp: tuple[int, ...] = ()
        self._looked_at = 0.0
        self._lock = Lock()

    @classmethod
    def load_or_create(cls, path: Path) -> "TokenSigner":
        """The keys at `path`, made first where there are none; rotations by other processes are followed.

        Raises:
            TokenKeyError: The file is no Ed25519 key, or cannot be read or written.
        """
        before, keys = stamp(path), load_keys(path)
        signer = cls(keys.private)
        signer._keys, signer._path, signer._stamp, signer._looked_at = keys, path, before, monotonic()
        return signer

    @property
    def key_id(self) -> str:
        """Of the key that signs now."""
        return self._current().key_id

    def public_pem(self) -> str:
        """The public key for carts that verify by themselves."""
        public = self._current().private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def published(self, now: datetime) -> list[dict[str, str]]:
        """The public keys whose tokens may still be valid, as JSON Web Keys."""
        return self._current(at_once=True).published(now)

    def sign(self, claims: QuoteClaims) -> str:
        """The token. Absent product or shopper are left out."""
        payload = _Payload(
            sub=claims.quote_id,
            product=claims.product_id,
            shopper=claims.shopper_id,
            quantity=claims.quantity,
            price_minor=claims.price_minor,
            currency=claims.currency,
            fraction_digits=claims.fraction_digits,
            iat=int(claims.issued_at.timestamp()),
            exp=int(claims.valid_until.timestamp()),
        )
        keys = self._current()
        headers = {"kid": keys.key_id, "typ": _TYPE}
        return jwt.encode(payload.model_dump(exclude_none=True), keys.private, _ALGORITHM, headers)

    def seal(self, message: bytes) -> str:
        """A signature over something that is no token."""
        return base64url_encode(self._current().private.sign(message)).decode()

    def is_sealed(self, message: bytes, seal: str) -> bool:
        """Whether this key, or one before it, signed a message."""
        for public in self._current(at_once=True).for_seals():
            try:
                public.verify(base64url_decode(seal), message)
            except (InvalidSignature, ValueError):
                continue
            return True
        return False

    def verify(self, token: str, now: datetime) -> Verification:
        """Check signature, then time. An expired token still shows its price, a tampered one shows nothing."""
        claims = self._signed_claims(token)
        if claims is None:
            return Verification(TokenStatus.TAMPERED, None)
        return Verification(TokenStatus.VALID if now < claims.valid_until else TokenStatus.EXPIRED, claims)

    def _signed_claims(self, token: str) -> QuoteClaims | None:
        if len(token) > _MAX_CHARS or not _is_canonical(token):
            return None
        try:
            header = jwt.get_unverified_header(token)
            named = header.get("kid")
            public = self._current().for_tokens(named) or self._current(at_once=True).for_tokens(named)
            if public is None or header.get("typ") != _TYPE:
                return None
            signed = _JWS.decode_complete(token, public, [_ALGORITHM])
            return _claims(_Payload.model_validate_json(signed["payload"]))
        except (jwt.InvalidTokenError, ValidationError):
            return None

    def _current(self, *, at_once: bool = False) -> KeySet:
        """The keys, read again when their files changed; `at_once` looks now, else every `FOLLOW_S`.

        Files that cannot be read now leave the keys that are known in use.
        """
        if self._path is None or not (at_once or monotonic() - self._looked_at > FOLLOW_S):
            return self._keys
        with self._lock:
            found = stamp(self._path)
            if found != self._stamp and self._path.exists():
                try:
                    self._keys, self._stamp = load_keys(self._path), found
                except TokenKeyError:
                    return self._keys
            self._looked_at = monotonic()
        return self._keys


def _claims(payload: _Payload) -> QuoteClaims:
    return QuoteClaims(
        quote_id=payload.sub,
        product_id=payload.product,
        shopper_id=payload.shopper,
        quantity=payload.quantity,
        price_minor=payload.price_minor,
        currency=payload.currency,
        fraction_digits=payload.fraction_digits,
        issued_at=datetime.fromtimestamp(payload.iat, UTC),
        valid_until=datetime.fromtimestamp(payload.exp, UTC),
    )


def _is_canonical(token: str) -> bool:
    """Whether each part is the one spelling of its bytes: decoders ignore the last character's spare bits."""
    if not token.isascii():
        return False
    try:
        return all(base64url_encode(base64url_decode(part)).decode() == part for part in token.split("."))
    except ValueError:
        return False
