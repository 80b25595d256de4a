"""Response models for product lists."""

from pydantic import BaseModel

from agent.api.responses.lists import AcceptedAnswer


class ProductWarning(BaseModel):
    """An amount of an accepted product that is probably not meant."""

    product_id: str
    field: str
    message: str


class ProductsAnswer(AcceptedAnswer):
    """Number of products accepted, and what is doubtful about them."""

    warnings: list[ProductWarning]
