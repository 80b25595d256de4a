"""Readiness: whether a service can make quotes, and what is wrong where it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.service.components import Components
from agent.store import StoreError, StoreKind

_OPTIONAL: Final = ("index", "language_model")
"""Checks that may fail: quotes then come from a lower rung, or for products described in the request."""


_NO_PRODUCTS: Final = "empty: no products; remedy: pricesmith import products FILE, or PUT /v1/products"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether quotes can be made from which store; `checks` says `ok` or what is wrong, by part."""

    ready: bool
    checks: Mapping[str, str]
    store: StoreKind


def check_readiness(parts: Components, *, closing: bool) -> Readiness:
    """Check models, index and store."""
    checks = {
        "models": "closing" if closing else "ok",
        "language_model": parts.strategies.state,
        "index": "ok" if len(parts.catalogue) else _NO_PRODUCTS,
        "store": "ok",
    }
    try:
        parts.store.ping()
    except StoreError as error:
        checks["store"] = str(error)
    ready = all(check == "ok" for name, check in checks.items() if name not in _OPTIONAL)
    return Readiness(ready, checks, parts.store_kind)
