"""FAISS indexes over products and past outcomes."""

from retrieval.errors import RetrievalError, SnapshotError
from retrieval.outcomes import AlikeOutcomes, MemoryRow, OutcomeMemory, Remembered
from retrieval.products import Neighbour, ProductEntry, ProductFilter, ProductIndex
from retrieval.snapshot import Manifest
from retrieval.vectors import Match, VectorIndex

__all__ = [
    "AlikeOutcomes",
    "Manifest",
    "Match",
    "MemoryRow",
    "Neighbour",
    "OutcomeMemory",
    "ProductEntry",
    "ProductFilter",
    "ProductIndex",
    "Remembered",
    "RetrievalError",
    "SnapshotError",
    "VectorIndex",
]
