"""API keys: `ps_<id>_<secret>`, publishable ones `pspub_<id>_<secret>`, stored as a SHA-256 digest.

The secret is 32 random bytes. A slow password hash protects secrets that people choose and a dictionary finds; 256
random bits cannot be searched however fast the hash, so that SHA-256 is enough and saves each request 100 ms.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Final

from agent.domain.clock import Clock
from agent.domain.origins import web_origin
from agent.service.settings import DEFAULT_MERCHANT
from agent.store import ApiKeyRecord, Store

BOOTSTRAP_KEY_ID: Final = "bootstrap"
BOOTSTRAP_MIN_CHARS: Final = 16
CACHE_TTL_S: Final = 5.0

PUBLISHABLE_PREFIX: Final = "pspub"

_PREFIX: Final = "ps"
_SECRET_BYTES: Final = 32
_CACHE_LIMIT: Final = 4_096
_TOUCH_EVERY: Final = timedelta(minutes=1)


class ApiKeyError(ValueError):
    """An API key cannot be created or rotated as asked."""


class Scope(StrEnum):
    """Permissions of a key."""

    QUOTES = "quotes"
    """Ask for prices and recommendations, verify tokens."""
    OUTCOMES = "outcomes"
    """Report outcomes and events."""
    MERCHANT = "merchant"
    """Manage products, rules and shoppers' data, read decisions, ask questions."""
    ADMIN = "admin"
    """Everything, webhooks included."""


PUBLISHABLE_SCOPES: Final = frozenset({Scope.QUOTES, Scope.OUTCOMES})
"""Most that a publishable key may have; of outcomes it may report events alone."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; `per_minute` None takes the rate limit of the settings.

    Attributes:
        origins: Origins whose pages may use a publishable key; empty for a secret key.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    merchant: str = DEFAULT_MERCHANT
    per_minute: int | None = None
    origins: tuple[str, ...] = ()

    @property
    def publishable(self) -> bool:
        """Whether the key may be seen by everybody, and so may do little (`agent.api.publishable`)."""
        return bool(self.origins)

    def allows(self, scope: Scope) -> bool:
        """Whether the key has the scope; admin implies all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_live(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key; `text` is the whole key, shown once and never stored."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class _Cached:
    key: ApiKey
    at: datetime


class KeyRing:
    """Creates, verifies, lists and revokes keys. Safe for several threads.

    A verified key is cached for `cache_ttl_s`, which saves each quote a query; a revocation takes effect in other
    processes within that time, at once in the process that revoked.
    """

    def __init__(
        self, store: Store, clock: Clock, bootstrap_key: str | None = None, cache_ttl_s: float = CACHE_TTL_S
    ) -> None:
        """`bootstrap_key` is an admin key from the settings, never stored.

        Raises:
            ApiKeyError: The bootstrap key is too short.
        """
        self._store = store
        self._clock = clock
        self._ttl = timedelta(seconds=cache_ttl_s)
        self._cache: dict[bytes, _Cached] = {}
        self._lock = Lock()
        self._bootstrap_digest: bytes | None = None
        if bootstrap_key is not None:
            self._bootstrap_digest = _digest(_strong_enough(bootstrap_key))
        self._bootstrap = ApiKey(BOOTSTRAP_KEY_ID, "from the settings", frozenset({Scope.ADMIN}), clock.now())

    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        expires_at: datetime | None = None,
        *,
        merchant: str = DEFAULT_MERCHANT,
        per_minute: int | None = None,
        origins: Collection[str] = (),
    ) -> CreatedKey:
        """Create a key; with `origins` a publishable one, for pages of these.

        Raises:
            ApiKeyError: No scope is given, a publishable key is given more than it may have, an origin is none, or the
                expiry has passed.
        """
        now = self._clock.now()
        if not scopes:
            raise ApiKeyError(f"a key needs at least one scope; allowed: {', '.join(Scope)}")
        if expires_at is not None and expires_at <= now:
            raise ApiKeyError(f"expiry {expires_at.isoformat()} has passed; allowed: a time after {now.isoformat()}")
        pages = _pages(origins, scopes)
        key_id = secrets.token_hex(8)
        text = f"{PUBLISHABLE_PREFIX if pages else _PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        record = ApiKeyRecord(
            key_id=key_id,
            name=name,
            secret_sha256=_digest(text).hex(),
            scopes=" ".join(sorted(set(scopes))),
            created_at=now,
            expires_at=expires_at,
            merchant=merchant,
            per_minute=per_minute,
            origins=" ".join(pages) or None,
        )
        self._store.insert_key(record)
        return CreatedKey(_api_key(record), text)

    def rotate(self, key_id: str, old_until: datetime) -> CreatedKey:
        """Create a key with the name, scopes, origins and expiry of another, which ends at `old_until` at the latest.

        Raises:
            ApiKeyError: The key is unknown, revoked or expired.
        """
        now = self._clock.now()
        record = self._store.key(key_id)
        if record is None or not (old := _api_key(record)).is_live(now):
            raise ApiKeyError(f"no valid key has the id {key_id[:40]!r}; remedy: pricesmith keys list shows all")
        made = self.create(
            old.name,
            old.scopes,
            old.expires_at,
            merchant=old.merchant,
            per_minute=old.per_minute,
            origins=old.origins,
        )
        self._store.expire_key(key_id, old_until if old.expires_at is None else min(old_until, old.expires_at))
        with self._lock:
            self._cache.clear()
        return made

    def verified(self, text: str) -> ApiKey | None:
        """A live key that was verified within the time to live, from memory alone; None leaves it to `verify`."""
        return self._verified(_digest(text), self._clock.now())

    def verify(self, text: str) -> ApiKey | None:
        """Look a key up; None when it is unknown, wrong, revoked or expired, which senders cannot tell apart."""
        digest, now = _digest(text), self._clock.now()
        known = self._verified(digest, now)
        if known is not None:
            return known
        key = self._load(text, digest)
        if key is None:
            return None
        self._touch(key, now)
        self._remember(digest, _Cached(key, now))
        return key if key.is_live(now) else None

    def list_keys(self) -> list[ApiKey]:
        """All stored keys, oldest first, revoked and expired ones too."""
        return [_api_key(record) for record in self._store.list_keys()]

    def revoke(self, key_id: str) -> bool:
        """Revoke a key for ever; False when it is unknown or was revoked before."""
        revoked = self._store.revoke_key(key_id, self._clock.now())
        with self._lock:
            self._cache.clear()
        return revoked

    def _verified(self, digest: bytes, now: datetime) -> ApiKey | None:
        if self._bootstrap_digest is not None and hmac.compare_digest(digest, self._bootstrap_digest):
            return self._bootstrap
        # A lookup by digest leaks nothing through timing: nobody can choose a digest without knowing the key.
        cached = self._cache.get(digest)
        if cached is None or not timedelta(0) <= now - cached.at < self._ttl or not cached.key.is_live(now):
            return None
        return cached.key

    def _load(self, text: str, digest: bytes) -> ApiKey | None:
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix not in (_PREFIX, PUBLISHABLE_PREFIX) or not secret or not key_id.isalnum() or not key_id.isascii():
            return None
        record = self._store.key(key_id)
        if record is None or not hmac.compare_digest(digest, bytes.fromhex(record.secret_sha256)):
            return None
        return _api_key(record)

    def _touch(self, key: ApiKey, now: datetime) -> None:
        """Record the use once a minute: a write for each request would cost more than a quote's own."""
        if key.is_live(now) and (key.last_used_at is None or now - key.last_used_at >= _TOUCH_EVERY):
            self._store.touch_key(key.key_id, now)

    def _remember(self, digest: bytes, cached: _Cached) -> None:
        with self._lock:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[digest] = cached


def _pages(origins: Collection[str], scopes: Collection[Scope]) -> tuple[str, ...]:
    """Origins of a publishable key as browsers send them."""
    try:
        pages = tuple(dict.fromkeys(web_origin(one) for one in origins))
    except ValueError as error:
        raise ApiKeyError(str(error)) from None
    if pages and not set(scopes) <= PUBLISHABLE_SCOPES:
        allowed = ", ".join(sorted(PUBLISHABLE_SCOPES))
        raise ApiKeyError(f"a publishable key cannot have the scopes {', '.join(sorted(scopes))}; allowed: {allowed}")
    return pages


def _strong_enough(bootstrap_key: str) -> str:
    if len(bootstrap_key) < BOOTSTRAP_MIN_CHARS:
        raise ApiKeyError(
            f"the bootstrap key has {len(bootstrap_key)} characters; allowed: {BOOTSTRAP_MIN_CHARS} or more; "
            'remedy: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return bootstrap_key


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _api_key(record: ApiKeyRecord) -> ApiKey:
    return ApiKey(
        key_id=record.key_id,
        name=record.name,
        scopes=frozenset(Scope(word) for word in record.scopes.split()),
        created_at=record.created_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        last_used_at=record.last_used_at,
        merchant=record.merchant,
        per_minute=record.per_minute,
        origins=tuple((record.origins or "").split()),
    )
