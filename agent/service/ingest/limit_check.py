"""Limits of imported products, checked as in HTTP requests."""

from agent.domain.product_limits import contradictions
from agent.domain.records import ProductRecord
from agent.service.ingest.errors import CellError


def checked(product: ProductRecord) -> ProductRecord:
    """The product, once its limits fit each other.

    Raises:
        CellError: Two amounts contradict each other.
    """
    for found in contradictions(product):
        raise CellError(found.field, found.amount_minor, f"{found.message}; allowed: {found.allowed}")
    return product
