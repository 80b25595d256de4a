"""The limits of one request: merchant, product, request and law joined, and the amounts they are measured against."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.domain.decision import TrailStep
from agent.domain.records import ProductRecord
from agent.rules.gateway import (
    Bounds,
    GatewayFacts,
    GatewayRules,
    Guarded,
    bounds,
    cost_not_covered,
    guard,
    holds_reference,
    tightest,
)
from agent.rules.gateway_columns import PriceMap, allowed_prices, price_map
from agent.rules.kill_switch import RULE
from agent.rules.packs import Binding


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits that came with one request, in minor units and fractions; the tighter of these and the merchant's hold."""

    min_minor: int | None = None
    max_minor: int | None = None
    min_margin_frac: float | None = None
    max_discount_frac: float | None = None


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """Everything that bounds the price of one request.

    Only the guard, the last step, calls `apply`. Steps before it that must know what the guard will leave of a price
    call `preview`, or read `price_map` or `bounds`.

    Attributes:
        killed: The merchant's reason for holding all prices, None while the kill switch is off.
    """

    rules: GatewayRules
    facts: GatewayFacts
    killed: str | None = None

    @property
    def lack_cost_and_floor(self) -> bool:
        """Whether nothing is known that keeps a price from being a loss."""
        return holds_reference(self.rules, self.facts.cost_minor)

    @property
    def cost_not_covered(self) -> bool:
        """Whether the cost is above the reference price, or its margin above what the limits allow."""
        return cost_not_covered(self.rules, self.facts)

    @property
    def bounds(self) -> Bounds:
        """Every price that may be answered, the kill switch apart."""
        return bounds(self.rules, self.facts)

    @property
    def price_map(self) -> PriceMap:
        """The map of proposed prices to those that the guard will make of them, for many requests at once."""
        if self.killed is not None:
            return PriceMap.constant(self.facts.reference_minor)
        return price_map(self.rules, self.facts)

    def preview(self, raw_minor: Sequence[int]) -> list[int]:
        """Prices that the guard will make of proposed ones."""
        prices: list[int] = allowed_prices([self.price_map], np.asarray([raw_minor], np.int64))[0].tolist()
        return prices

    def apply(self, raw_minor: int) -> Guarded:
        """A proposed price through the kill switch and the gateway, with the trail of what moved it."""
        if self.killed is not None:
            price = self.facts.reference_minor
            return Guarded(price, (TrailStep(RULE, raw_minor, price, self.killed),), held=True)
        return guard(raw_minor, self.rules, self.facts)

    def with_last_price(self, price_minor: int | None) -> "PriceLimits":
        """These limits after another last price."""
        return replace(self, facts=replace(self.facts, last_price_minor=price_minor))

    def with_stranger(self, price_minor: int) -> "PriceLimits":
        """These limits where a law bounds the price by what an unknown shopper would pay."""
        return replace(self, facts=replace(self.facts, stranger_minor=price_minor))


def join_rules(merchant: GatewayRules, product: ProductRecord, asked: RequestLimits, law: Binding) -> GatewayRules:
    """The tightest of merchant, product, request and the law of the place; rounding and step are the merchant's."""
    own = GatewayRules(
        floor_minor=product.floor_minor, ceiling_minor=product.ceiling_minor, map_minor=product.map_minor
    )
    requested = GatewayRules(
        floor_minor=asked.min_minor,
        ceiling_minor=asked.max_minor,
        min_margin_frac=asked.min_margin_frac or 0.0,
        max_discount_frac=asked.max_discount_frac,
    )
    return tightest(merchant, own, requested, GatewayRules(discount_only=law.discount_only, parity=law.parity))
