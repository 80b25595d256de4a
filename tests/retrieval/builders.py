"""Small unit vectors, products and outcomes."""

import numpy as np
from numpy.typing import NDArray

from retrieval import MemoryRow, ProductEntry

DIM = 8
Vectors = NDArray[np.float32]


def units(n: int, seed: int = 0, dim: int = DIM) -> Vectors:
    """Random unit vectors `(n, dim)`."""
    drawn = np.random.default_rng(seed).standard_normal((n, dim))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def entry(product_id: str, **changes: object) -> ProductEntry:
    """Build a product of one category and brand at 2.79."""
    fields: dict[str, object] = {
        "id": product_id,
        "title": f"title of {product_id}",
        "category": "milk",
        "brand": "acme",
        "currency": "USD",
        "price_minor": 279,
    }
    return ProductEntry(**(fields | changes))  # type: ignore[arg-type]


def row(number: int, **changes: object) -> MemoryRow:
    """Build outcome `number` at `number` seconds after 1970."""
    fields: dict[str, object] = {
        "outcome_id": f"o{number}",
        "product_id": f"p{number % 3}",
        "shopper_id": f"s{number % 5}",
        "at_us": number * 1_000_000,
        "price_ratio": 0.9,
        "bought": number % 2 == 0,
        "weight": 2.0,
    }
    return MemoryRow(**(fields | changes))  # type: ignore[arg-type]
