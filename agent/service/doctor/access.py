"""The keys: the one that signs tokens, and those that callers of the API bring."""

import stat
from datetime import datetime
from pathlib import Path

from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import ApiKeyError, KeyRing
from agent.service.auth.signing_keys import TokenKeyError, load_keys
from agent.service.doctor.finding import Finding, Level, of_error
from agent.service.settings import Settings
from agent.store import Store

_CREATE = "pricesmith keys create NAME"


def check_signing_key(path: Path, *, needed: bool) -> Finding:
    """Whether the signing key is there, whole and private; `needed` says that it has signed something already."""
    if not path.exists():
        if needed:
            remedy = "restore it from a backup; without it old tokens and the audit log cannot be verified"
            return Finding("signing key", Level.PROBLEM, f"{path} is missing", remedy)
        return Finding("signing key", Level.OK, "none yet; the first start makes one")
    try:
        keys = load_keys(path)
    except TokenKeyError as error:
        return of_error("signing key", error)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("signing key", Level.WARNING, f"others can read {path}", f"chmod 600 {path}")
    return Finding("signing key", Level.OK, f"{keys.key_id}, {len(keys.retired)} retired")


def check_api_keys(store: Store | None, settings: Settings, now: datetime) -> Finding:
    """Whether anybody can call the API: a live key in the store, or one in the settings."""
    secret = settings.bootstrap_key
    if secret is not None and store is not None:
        try:
            KeyRing(store, SystemClock(), secret.get_secret_value())
        except ApiKeyError as error:
            return of_error("API keys", error)
    live = [] if store is None else [key for key in KeyRing(store, SystemClock()).list_keys() if key.is_live(now)]
    named = f"{len(live)} live" + (", and PRICESMITH_BOOTSTRAP_KEY" if secret is not None else "")
    if live or secret is not None:
        return Finding("API keys", Level.OK, named)
    return Finding("API keys", Level.PROBLEM, "there is none: nobody can ask for a price over HTTP", _CREATE)
