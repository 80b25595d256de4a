"""Limits of imported products, checked as in HTTP requests."""

from agent.domain.money import show
from agent.domain.product_limits import contradictions, doubts
from agent.domain.records import ProductRecord
from agent.rules.packs import payable_step
from agent.service.ingest.errors import CellError
from agent.service.ingest.reading import Note, Notes


def checked(product: ProductRecord, notes: Notes) -> ProductRecord:
    """The product, once its limits fit each other; doubts about it are noted.

    Raises:
        CellError: Two amounts contradict each other.
    """
    for found in contradictions(product):
        amount = show(found.amount_minor, product.currency)
        raise CellError(found.field, amount, f"{found.message}; allowed: {found.allowed}")
    for found in doubts(product, payable_step(product.currency)):
        notes.add(Note.DOUBTFUL, f"{product.product_id}: {found.message}")
    return product
