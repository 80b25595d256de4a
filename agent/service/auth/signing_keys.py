"""Signing keys: the private key in use, and the public keys of retired ones.

The private key is a PEM file; `retired.json` beside it has the public keys for checking older signatures, by key id. A
rotation writes that list first, so that every signature can be checked at any moment.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.utils import base64url_decode, base64url_encode
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

LONGEST_QUOTE: Final = timedelta(days=1)  # the longest validity that the settings allow
_NONE: Final[Mapping[str, "RetiredKey"]] = MappingProxyType({})


class TokenKeyError(RuntimeError):
    """The signing key cannot be read or created."""


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """The public key of a retired key; a distrusted one still checks seals of the audit log, but no tokens."""

    public: Ed25519PublicKey
    retired_at: datetime
    distrusted: bool = False


@dataclass(frozen=True)
class KeySet:
    """The signing key and the retired keys of one merchant."""

    private: Ed25519PrivateKey
    retired: Mapping[str, RetiredKey] = field(default_factory=lambda: _NONE)

    @cached_property
    def key_id(self) -> str:
        """Id of the signing key."""
        return key_id_of(self.private.public_key())

    def for_tokens(self, key_id: object) -> Ed25519PublicKey | None:
        """Public key for tokens that name `key_id`; None when it is unknown or distrusted."""
        if key_id == self.key_id:
            return self.private.public_key()
        known = self.retired.get(key_id) if isinstance(key_id, str) else None
        return None if known is None or known.distrusted else known.public

    def for_seals(self) -> list[Ed25519PublicKey]:
        """Public keys for seals: all of them."""
        return [self.private.public_key(), *(key.public for key in self.retired.values())]

    def published(self, now: datetime) -> list[dict[str, str]]:
        """JSON Web Keys (RFC 8037) whose tokens may still be valid, the signing key first."""
        trusted = [key for key in self.retired.values() if not key.distrusted]
        live = [key.public for key in trusted if now < key.retired_at + LONGEST_QUOTE]
        return [_jwk(public) for public in (self.private.public_key(), *live)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kid: str
    x: str
    retired_at: datetime
    distrusted: bool = False


_ENTRIES: Final = TypeAdapter(tuple[_Entry, ...])


def key_id_of(public: Ed25519PublicKey) -> str:
    """Id of a key: the first 12 bytes of its SHA-256, base64url."""
    return base64url_encode(hashlib.sha256(_raw(public)).digest()[:12]).decode()


def load_keys(path: Path) -> KeySet:
    """Load the keys at `path`; the private key is created (mode 0600) if missing.

    Processes that start together get the same key: the file is created atomically, by the first of them.

    Raises:
        TokenKeyError: A file is not what it should be, or cannot be read or written.
    """
    try:
        if not path.exists():
            _write_new(path, _new_pem(), replace=False)
        pem = path.read_bytes()
        listed = retired_path(path)
        text = listed.read_bytes() if listed.exists() else b"[]"
    except OSError as error:
        raise TokenKeyError(
            f"the signing key {path} cannot be read or written: {error}; remedy: make the folder writable"
        ) from error
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise TokenKeyError(f"{path} is not a PEM private key; remedy: restore it from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TokenKeyError(
            f"{path} is a {type(key).__name__}; allowed: an Ed25519 key; remedy: restore it from a backup"
        )
    try:
        entries = _ENTRIES.validate_json(text)
        retired = {
            one.kid: RetiredKey(
                Ed25519PublicKey.from_public_bytes(base64url_decode(one.x)), one.retired_at, one.distrusted
            )
            for one in entries
        }
    except (ValidationError, ValueError) as error:
        raise TokenKeyError(f"{retired_path(path)} is damaged; remedy: restore it from a backup") from error
    own = key_id_of(key.public_key())
    return KeySet(key, MappingProxyType({kid: one for kid, one in retired.items() if kid != own}))


def rotate(path: Path, now: datetime, *, distrust: bool = False) -> KeySet:
    """Replace the signing key with a new one; returns all keys.

    Tokens of the old key stay valid until they expire; with `distrust`, for a stolen key, they become invalid at once.
    """
    load_keys(path)
    with _locked(path):
        keys = load_keys(path)
        old = RetiredKey(keys.private.public_key(), now, distrust)
        entries = [
            _Entry(
                kid=kid,
                x=base64url_encode(_raw(one.public)).decode(),
                retired_at=one.retired_at,
                distrusted=one.distrusted,
            )
            for kid, one in {**keys.retired, keys.key_id: old}.items()
        ]
        _write_new(retired_path(path), _ENTRIES.dump_json(tuple(entries), indent=1), replace=True)
        _write_new(path, _new_pem(), replace=True)
        return load_keys(path)


def retired_path(path: Path) -> Path:
    """Path of the retired keys beside the signing key at `path`."""
    return path.with_name("retired.json")


def stamp(path: Path) -> tuple[int, ...]:
    """A value that changes whenever one of the key files does."""
    found: list[int] = []
    for one in (path, retired_path(path)):
        try:
            status = one.stat()
        except OSError:
            found.append(0)
        else:
            found += [status.st_ino, status.st_mtime_ns]
    return tuple(found)


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    x = base64url_encode(_raw(public)).decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id_of(public), "use": "sig", "alg": "EdDSA"}


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_new(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file atomically (mode 0600); without `replace` a file that another process created first is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return
        _sync_folder(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
