"""Effective rules: the merchant's rules as they apply to one product: gateway limits, weights, exploration."""

from dataclasses import dataclass
from functools import cached_property

from agent.domain.fields import Money
from agent.domain.records import ProductRecord
from agent.rules.document import RuleLimits, RulesDocument, fold
from agent.rules.exploration import Exploration, SelectionRules
from agent.rules.gateway import GatewayRules
from agent.rules.packs.payable_steps import payable_step
from models.evaluator.utility import Weights
from models.strategist.strategy import Rounding

_UNBOUNDED_FRAC = 100.0


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """Rules that apply to one quote; `version` 0 is the settings alone."""

    version: int
    limits: GatewayRules
    weights: Weights
    selection: SelectionRules


class MerchantRules:
    """A version of the rules with a cache of terms. Safe for several threads."""

    def __init__(self, version: int, document: RulesDocument) -> None:
        """`document` is complete: the version's, completed by the settings."""
        self.version = version
        self.document = document
        self._known: dict[tuple[str, str, str], EffectiveRules] = {}

    def effective(self, product: ProductRecord) -> EffectiveRules:
        """The terms of a product."""
        own = product.product_id if product.product_id in self.document.products else ""
        key = (fold(product.category) if self.document.categories else "", own, product.currency)
        found = self._known.get(key)
        if found is None:
            limits = self.document.limits_of(product.category, own)
            found = EffectiveRules(
                self.version, gateway_rules(limits, product.currency), self._weights, self._selection
            )
            if len(self._known) < 10_000:  # requests may name any category
                self._known[key] = found
        return found

    @cached_property
    def limits_change(self) -> bool:
        """Whether some product's price change is limited, so that last prices must be looked up."""
        document = self.document
        own = [document.limits, *document.categories.values(), *document.products.values()]
        return any(one.max_change is not None and one.max_change < _UNBOUNDED_FRAC for one in own)

    @property
    def caps_spread(self) -> bool:
        """Whether the spread is limited, so that prices shown lately must be looked up."""
        return self.document.max_spread is not None

    @cached_property
    def _weights(self) -> Weights:
        given = self.document.weights
        return Weights() if given is None else Weights(given.profit, given.purchase, given.satisfaction)

    @cached_property
    def _selection(self) -> SelectionRules:
        document = self.document
        return SelectionRules(
            document.exploration or Exploration.OFF,
            control_frac=document.control or 0.0,
            max_try_frac=document.max_try,
            max_spread_frac=document.max_spread,
        )


def gateway_rules(limits: RuleLimits, currency: str) -> GatewayRules:
    """Limits as gateway rules for products in one currency."""

    def bound(money: Money | None) -> int | None:
        return money.amount_minor if money is not None and money.currency == currency else None

    return GatewayRules(
        floor_minor=bound(limits.min_price),
        ceiling_minor=bound(limits.max_price),
        map_minor=bound(limits.map_price),
        min_margin_frac=limits.min_margin or 0.0,
        max_discount_frac=limits.max_discount,
        max_change_frac=limits.max_change,
        never_above_reference=limits.never_above_reference or False,
        rounding=limits.rounding or Rounding.EXACT,
        step_minor=bound(limits.price_step) or payable_step(currency),
    )
