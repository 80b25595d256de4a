"""Response models of products."""

from pydantic import Field

from agent.api.responses.answer import Answer
from agent.api.responses.money import MoneyAnswer
from agent.api.responses.pages import HasMore, Next, optional_money
from agent.domain.records import Attribute, ProductRecord


class ProductAnswer(Answer, title="StoredProduct"):
    """A product as stored, for merchants; it may be sent back to `PUT /v1/products` as it is."""

    id: str = Field(description="Id of the product.")
    title: str = Field(description="Title.")
    description: str = Field(description="Description; empty where none is stored.")
    category: str = Field(description="Category; empty where none is stored.")
    brand: str = Field(description="Brand; empty where none is stored.")
    list_price: MoneyAnswer | None = Field(description="Price open to everyone.")
    cost: MoneyAnswer | None = Field(description="Cost of a unit.")
    inventory: int | None = Field(description="Units in stock.")
    rating: float | None = Field(description="Rating, 0 to 5.")
    attributes: dict[str, Attribute] = Field(description="Further attributes.")
    min_price: MoneyAnswer | None = Field(description="Lowest price.")
    max_price: MoneyAnswer | None = Field(description="Highest price.")
    map_price: MoneyAnswer | None = Field(description="Minimum advertised price.")


class ProductsPage(Answer):
    """Products by id."""

    items: list[ProductAnswer] = Field(description="Rows of the page.")
    has_more: HasMore
    next: Next


class RemovedProduct(Answer):
    """The removal of a product."""

    id: str = Field(description="Id of the product.")
    removed: bool = Field(description="True when this request removed it, false when it was removed before.")


def product_answer(found: ProductRecord) -> ProductAnswer:
    """A product as stored."""
    currency = found.currency
    return ProductAnswer(
        id=found.product_id,
        title=found.title,
        description=found.description,
        category=found.category,
        brand=found.brand,
        list_price=optional_money(found.list_minor, currency),
        cost=optional_money(found.cost_minor, currency),
        inventory=found.inventory,
        rating=found.rating,
        attributes=dict(found.attributes),
        min_price=optional_money(found.floor_minor, currency),
        max_price=optional_money(found.ceiling_minor, currency),
        map_price=optional_money(found.map_minor, currency),
    )
