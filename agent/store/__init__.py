"""Durable state: the store, its records and its errors."""

from agent.store.api_keys import ApiKeyRecord
from agent.store.decisions import PricedPair, ShopperProduct
from agent.store.errors import InvalidRecord, StoreError, StoreUnavailable
from agent.store.idempotency import IdempotencyResult, IdempotencyState, StoredResponse
from agent.store.kind import StoreKind
from agent.store.live_quotes import Claim, QuoteKey
from agent.store.merchants import MerchantRecord
from agent.store.migrate import migrate
from agent.store.store import Store

__all__ = [
    "ApiKeyRecord",
    "Claim",
    "IdempotencyResult",
    "IdempotencyState",
    "InvalidRecord",
    "MerchantRecord",
    "PricedPair",
    "QuoteKey",
    "ShopperProduct",
    "Store",
    "StoreError",
    "StoreKind",
    "StoreUnavailable",
    "StoredResponse",
    "migrate",
]
