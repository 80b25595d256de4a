"""Response models for lists that are taken as a whole."""

from pydantic import BaseModel


class AcceptedAnswer(BaseModel):
    """Number of rows accepted."""

    accepted: int


class ProductWarning(BaseModel):
    """An amount or a repeated id of an accepted product that is probably not meant."""

    product_id: str
    field: str
    message: str


class ProductsAnswer(AcceptedAnswer):
    """Number of products accepted, and what is doubtful about them."""

    warnings: list[ProductWarning]
