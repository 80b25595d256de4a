"""Step 1: a request, joined with what the store knew before it, cleaned, protected attributes dropped and named."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import iso4217

from agent.api.convert import to_event, to_product
from agent.api.schemas import QuoteRequest
from agent.catalogue import Catalogue, merge_inline
from agent.clock import StoreClock
from agent.decision import IgnoredInput
from agent.money import fraction_digits
from agent.observation import Market, Observation, RequestLimits
from agent.packs import Pack
from agent.protected import screen_profile
from agent.records import EventRecord, ProductRecord
from agent.service import FieldProblem, Refusal
from agent.shoppers import ShopperBook
from agent.store import Store
from models.features import Subject
from models.history import ShopperHistory
from models.strategy import AnchorPrices
from models.value import Stock

UNKNOWN_COST: Final = "cost and floor unknown"
OPTED_OUT: Final = "personalisation is off"
_TREND_WORDS: Final = {
    "rising": 0.5,
    "up": 0.5,
    "growing": 0.5,
    "hot": 1.0,
    "falling": -0.5,
    "down": -0.5,
    "declining": -0.5,
    "steady": 0.0,
    "stable": 0.0,
    "flat": 0.0,
}
_SEASONS: Final = ("winter", "spring", "summer", "autumn")
_READ_CONTEXT: Final = {
    "inventory",
    "competitor_prices",
    "market_trend",
    "season",
    "jurisdiction",
    "at",
    "deadline",
}
