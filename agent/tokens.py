"""Quote tokens: a price that a cart can verify at checkout, offline, with the public key alone.

A token is a JSON Web Token signed with Ed25519 (RFC 8037). It names the shopper, when there is one: whoever holds it
can read it, nobody can change it.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.utils import base64url_decode, base64url_encode
from pydantic import BaseModel, ConfigDict, ValidationError

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "pricesmith-quote+jwt"  # other tokens signed with this key, should there ever be any, are not quotes
_MAX_CHARS: Final = 8_192
_JWS: Final = jwt.PyJWS(algorithms=[_ALGORITHM])  # the signature alone: time and content are checked here


class TokenKeyError(RuntimeError):
    """The signing key cannot be read or made."""


class TokenStatus(StrEnum):
    """What a token is worth."""

    VALID = "valid"
    EXPIRED = "expired"
    TAMPERED = "tampered"


@dataclass(frozen=True, slots=True)
class QuoteClaims:
    """What a token promises: the price per unit, in minor units, until `valid_until` (whole seconds, rounded down)."""

    quote_id: str
    product_id: str | None
    shopper_id: str | None
    quantity: int
    price_minor: int
    currency: str
    fraction_digits: int
    issued_at: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """A token's status and what it holds; a tampered token holds nothing."""

    status: TokenStatus
    claims: QuoteClaims | None


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
    """Signs and verifies with one Ed25519 key. Safe for several threads."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        """Use `private_key`; most callers want `load_or_create`."""
        self._private = private_key
        self._public = private_key.public_key()
        raw = self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = base64url_encode(hashlib.sha256(raw).digest()[:12]).decode()

    @classmethod
    def load_or_create(cls, path: Path) -> "TokenSigner":
        """Load the PEM key at `path`, made first (mode 0600) where there is none.

        Processes that start together all end up with the same key: the file appears whole or not at all, and the
        first one stands.

        Raises:
            TokenKeyError: The file is no Ed25519 key, or cannot be read or written.
        """
        try:
            if not path.exists():
                _create_key_file(path)
            pem = path.read_bytes()
        except OSError as error:
            raise TokenKeyError(f"signing key {path} cannot be used: {error}; remedy: a writable folder") from error
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise TokenKeyError(f"{path} is not a PEM private key; remedy: restore it from a backup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise TokenKeyError(f"{path} holds a {type(key).__name__}; allowed: Ed25519; remedy: restore the key")
        return cls(key)

    def public_pem(self) -> str:
        """The public key for carts that verify by themselves."""
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

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
        headers = {"kid": self.key_id, "typ": _TYPE}
        return jwt.encode(payload.model_dump(exclude_none=True), self._private, _ALGORITHM, headers)

    def seal(self, message: bytes) -> str:
        """A signature over something that is no token."""
        return base64url_encode(self._private.sign(message)).decode()

    def is_sealed(self, message: bytes, seal: str) -> bool:
        """Whether this key signed a message."""
        try:
            self._public.verify(base64url_decode(seal), message)
        except (InvalidSignature, ValueError):
            return False
        return True

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
            signed = _JWS.decode_complete(token, self._public, [_ALGORITHM])
            if signed["header"].get("typ") != _TYPE or signed["header"].get("kid") != self.key_id:
                return None
            return _claims(_Payload.model_validate_json(signed["payload"]))
        except (jwt.InvalidTokenError, ValidationError):
            return None


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


def _create_key_file(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(pem)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(temporary, path)  # unlike a rename, never replaces a key that another process made meanwhile
        except FileExistsError:
            return
        _sync_folder(path.parent)
    finally:
        os.unlink(temporary)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
