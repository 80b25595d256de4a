"""Rules document: limits for all products, for categories and for single products; weights; exploration.

Fields left out are taken from the settings. More specific limits override others field by field: product before
category before all products. Limits in the product's record and in a request only tighten the result.
"""

from typing import Annotated, Any

from pydantic import Field, ValidatorFunctionWrapHandler, field_validator

from agent.domain.fields import Fraction, Id, Money, Price, Short, Strict
from agent.rules.exploration import Exploration
from models.strategist.strategy import Rounding

MAX_CATEGORIES = 100
MAX_PRODUCTS = 500

Margin = Annotated[Fraction, Field(lt=0.99)]
Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]


class RuleLimits(Strict):
    """Limits of prices; amounts apply to products in their currency alone."""

    min_price: Money | None = None
    """Floor of the price of one unit."""
    max_price: Price | None = None
    """Ceiling of the price of one unit."""
    map_price: Money | None = None
    """Minimum advertised price."""
    min_margin: Margin | None = None
    """Minimum of (price - cost) / price."""
    max_discount: Fraction | None = None
    """Largest discount, a fraction of the reference price; 1 allows any."""
    max_change: Share | None = None
    """Largest change from the last price quoted to the shopper, a fraction of it."""
    never_above_reference: bool | None = None
    """Whether no price may be above the reference price."""
    rounding: Rounding | None = None
    """Retail ending of prices."""
    price_step: Price | None = None
    """Smallest step between prices that can be paid; by default the currency's."""

    def over(self, other: "RuleLimits") -> "RuleLimits":
        """These limits, completed by those of `other`."""
        given = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return other.model_copy(update=given)


class RuleWeights(Strict):
    """Weights of the objectives, relative to each other."""

    profit: Weight
    """Weight of expected profit."""
    purchase: Weight
    """Weight of the chance of a purchase."""
    satisfaction: Weight
    """Weight of the shopper's satisfaction."""


class RulesDocument(Strict):
    """One version of a merchant's rules; a field left out is taken from the settings."""

    limits: RuleLimits = RuleLimits()
    """Limits for all products."""
    categories: Annotated[dict[Short, RuleLimits], Field(max_length=MAX_CATEGORIES)] = Field(default_factory=dict)
    """Limits by category; they override those for all products."""
    products: Annotated[dict[Id, RuleLimits], Field(max_length=MAX_PRODUCTS)] = Field(default_factory=dict)
    """Limits by product id; they override those of its category."""
    weights: RuleWeights | None = None
    """Weights of the objectives."""
    exploration: Exploration | None = None
    """Whether prices are varied to learn."""
    max_try: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    """Largest distance of an explored price from the best known one, a fraction of the reference price."""
    control: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] | None = None
    """Fraction of quotes that show the reference price at random."""
    max_spread: Share | None = None
    """Largest standard deviation of one shopper's prices for a product, a fraction of the reference."""

    @field_validator("products", mode="wrap")
    @classmethod
    def _distinct(cls, given: Any, validated: ValidatorFunctionWrapHandler) -> Any:
        found = validated(given)
        if len(found) < len(given):
            raise ValueError(
                "has two ids that are the same product: ids are compared composed (NFC), without outer blanks and "
                "invisible characters; allowed: each product once"
            )
        return found

    def over(self, settings: "RulesDocument") -> "RulesDocument":
        """These rules, completed by the settings, which have no limits for categories or products."""
        return RulesDocument(
            limits=self.limits.over(settings.limits),
            categories=self.categories,
            products=self.products,
            weights=self.weights or settings.weights,
            exploration=self.exploration or settings.exploration,
            max_try=settings.max_try if self.max_try is None else self.max_try,
            control=settings.control if self.control is None else self.control,
            max_spread=settings.max_spread if self.max_spread is None else self.max_spread,
        )

    def limits_of(self, category: str, product_id: str) -> RuleLimits:
        """Limits of one product."""
        of_category = self._categories.get(fold(category), RuleLimits())
        return self.products.get(product_id, RuleLimits()).over(of_category.over(self.limits))

    @property
    def _categories(self) -> dict[str, RuleLimits]:
        return {fold(name): limits for name, limits in self.categories.items()}


def fold(category: str) -> str:
    """A category's name for comparison: without regard to case and outer blanks."""
    return category.strip().casefold()
