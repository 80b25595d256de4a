"""Quote tokens: a signed price that a cart can verify offline with the public key.

A token is a JSON Web Token signed with Ed25519 (RFC 8037). It names the shopper, if there is one; everybody who has it
can read it, nobody can change it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
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

FOLLOW_S: Final = 1.0  # delay until a process signs with a rotated key; it verifies with one at once
_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "pricesmith-quote+jwt"  # tells quotes from any other token signed with this key
_compact: Final = json.JSONEncoder(separators=(",", ":")).encode
_MAX_CHARS: Final = 8_192
_JWS: Final = jwt.PyJWS(algorithms=[_ALGORITHM])  # checks the signature alone; time and content are checked here


class TokenStatus(StrEnum):
    """Result of a verification."""

    VALID = "valid"
    EXPIRED = "expired"
    TAMPERED = "tampered"
    MISMATCHED = "mismatched"
    """Genuine and in time, but for another quantity, product or shopper than the cart's."""
    USED = "used"
    """Genuine and in time, but its quote was bought already."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Status and claims of a token; a tampered token has none.

    `mismatches` names the fields in which the cart differs; `used_at` is the first purchase of the quote.
    """

    status: TokenStatus
    claims: QuoteClaims | None
    mismatches: tuple[str, ...] = ()
    used_at: datetime | None = None


class _Payload(BaseModel):
    """Claims of the token; those that JWT does not define have names that carts can read."""

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
    """Signs with one Ed25519 key, verifies with it and with retired ones. Safe for several threads."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        """Sign with `private_key`; use `load_or_create` for keys on disk."""
        self._keys = KeySet(private_key)
        self._path: Path | None = None
        self._stamp: tuple[int, ...] = ()
        self._looked_at = 0.0
        self._lock = Lock()

    @classmethod
    def load_or_create(cls, path: Path) -> "TokenSigner":
        """Load the keys at `path`, created if missing; later rotations by other processes are followed.

        Raises:
            TokenKeyError: The file is not an Ed25519 key, or cannot be read or written.
        """
        before, keys = stamp(path), load_keys(path)
        signer = cls(keys.private)
        signer._keys, signer._path, signer._stamp, signer._looked_at = keys, path, before, monotonic()
        return signer

    @property
    def key_id(self) -> str:
        """Id of the signing key."""
        return self._current().key_id

    def public_pem(self) -> str:
        """The public key, PEM, for carts that verify tokens themselves."""
        public = self._current().private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def published(self, now: datetime) -> list[dict[str, str]]:
        """Public keys whose tokens may still be valid, as JSON Web Keys."""
        return self._current(at_once=True).published(now)

    def sign(self, claims: QuoteClaims) -> str:
        """Sign claims; an absent product or shopper is left out."""
        payload = {
            "iss": "pricesmith",
            "sub": claims.quote_id,
            "product": claims.product_id,
            "shopper": claims.shopper_id,
            "quantity": claims.quantity,
            "price_minor": claims.price_minor,
            "currency": claims.currency,
            "fraction_digits": claims.fraction_digits,
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.valid_until.timestamp()),
        }
        keys = self._current()
        present = {name: value for name, value in payload.items() if value is not None}
        signed = _header(keys.key_id) + b"." + base64url_encode(_compact(present).encode())
        return (signed + b"." + base64url_encode(keys.private.sign(signed))).decode()

    def seal(self, message: bytes) -> str:
        """Sign a message that is not a token."""
        return base64url_encode(self._current().private.sign(message)).decode()

    def is_sealed(self, message: bytes, seal: str) -> bool:
        """Whether the signing key or a retired one signed a message."""
        for public in self._current(at_once=True).for_seals():
            try:
                public.verify(base64url_decode(seal), message)
            except (InvalidSignature, ValueError):
                continue
            return True
        return False

    def verify(self, token: str, now: datetime) -> Verification:
        """Check signature and time; an expired token keeps its claims, a tampered one has none."""
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
        """The keys, read again when their files changed; checked every `FOLLOW_S`, or now with `at_once`.

        Files that cannot be read leave the known keys in use.
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


@lru_cache(maxsize=8)
def _header(key_id: str) -> bytes:
    """The first part of every token under a key."""
    header = {"alg": _ALGORITHM, "kid": key_id, "typ": _TYPE}
    return base64url_encode(_compact(header).encode())


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
    """Whether each part is the canonical base64url of its bytes: decoders ignore spare bits of the last character."""
    if not token.isascii():
        return False
    try:
        return all(base64url_encode(base64url_decode(part)).decode() == part for part in token.split("."))
    except ValueError:
        return False
