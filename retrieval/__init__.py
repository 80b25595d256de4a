"""FAISS indexes over products and past outcomes."""

from retrieval.errors import RetrievalError, SnapshotError
from retrieval.outcomes import MemoryRow, OutcomeMemory, Remembered
from retrieval.products import Neighbour, ProductEntry, ProductFilter, ProductIndex

__all__ = [
    "MemoryRow",
    "Neighbour",
    "OutcomeMemory",
    "ProductEntry",
    "ProductFilter",
    "ProductIndex",
    "Remembered",
    "RetrievalError",
    "SnapshotError",
]
