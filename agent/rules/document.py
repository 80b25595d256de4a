"""What a merchant writes down: limits for everything, for categories, for products; weights; exploration.

What a document leaves out holds as the settings say. Of limits for one thing the more specific stand, field by field:
product before category before everything. Limits in the product's own record and in a request only tighten the result.
"""

from typing import Annotated

from pydantic import Field

from agent.domain.fields import Fraction, Id, Money, Price, Short, Strict
from agent.rules.exploration import Exploration
from models.strategist.strategy import Rounding

MAX_CATEGORIES = 100
MAX_PRODUCTS = 500

Margin = Annotated[Fraction, Field(lt=0.99)]
Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]


class RuleLimits(Strict):
    """Limits of prices; money holds for products in its currency alone.

    Attributes:
        min_price, max_price, map_price: Floor, ceiling, minimum advertised price.
        min_margin: Least (price - cost) / price.
        max_discount: Deepest share below the reference price; 1 allows any.
        max_change: Largest share away from the last price this shopper was quoted.
    """

    min_price: Money | None = None
    max_price: Price | None = None
    map_price: Money | None = None
    min_margin: Margin | None = None
    max_discount: Fraction | None = None
    max_change: Share | None = None
    never_above_reference: bool | None = None
    rounding: Rounding | None = None

    def over(self, other: "RuleLimits") -> "RuleLimits":
        """These limits, `other`'s where these say nothing."""
        said = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return other.model_copy(update=said)


class RuleWeights(Strict):
    """What the merchant cares for; relative sizes count."""

    profit: Weight
    purchase: Weight
    satisfaction: Weight


class RulesDocument(Strict):
    """One version of a merchant's rules.

    Attributes:
        exploration: Whether prices are varied to learn; `max_try` bounds how far, `control` is the share of quotes that
            hold the reference price by chance, `max_spread` caps how far one shopper's prices of a product lie apart.
    """

    limits: RuleLimits = RuleLimits()
    categories: Annotated[dict[Short, RuleLimits], Field(max_length=MAX_CATEGORIES)] = Field(default_factory=dict)
    products: Annotated[dict[Id, RuleLimits], Field(max_length=MAX_PRODUCTS)] = Field(default_factory=dict)
    weights: RuleWeights | None = None
    exploration: Exploration | None = None
    max_try: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    control: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] | None = None
    max_spread: Share | None = None

    def over(self, settings: "RulesDocument") -> "RulesDocument":
        """These rules, the settings' where these say nothing; the settings know neither categories nor products."""
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
        """What holds for one product, the most specific first."""
        of_category = self._categories.get(fold(category), RuleLimits())
        return self.products.get(product_id, RuleLimits()).over(of_category.over(self.limits))

    @property
    def _categories(self) -> dict[str, RuleLimits]:
        return {fold(name): limits for name, limits in self.categories.items()}


def fold(category: str) -> str:
    """A category's name as it is compared: without regard to case."""
    return category.strip().casefold()
