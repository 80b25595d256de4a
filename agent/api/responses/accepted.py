"""Response models for lists that are taken as a whole."""

from agent.api.responses.answer import Answer


class AcceptedAnswer(Answer):
    """Number of rows accepted."""

    accepted: int
    """Number of rows accepted."""


class ProductWarning(Answer):
    """An amount or a repeated id of an accepted product that is probably not meant."""

    product_id: str
    """Id of the product."""
    field: str
    """The doubtful field."""
    message: str
    """What is doubtful about it."""


class ProductsAnswer(AcceptedAnswer, title="AcceptedProducts"):
    """Number of products accepted, and what is doubtful about them."""

    warnings: list[ProductWarning]
    """What is doubtful, though accepted."""
