"""FAISS indexes of products and of past outcomes."""

from retrieval.errors import RetrievalError, SnapshotError
from retrieval.outcomes import MemoryRow, OutcomeMemory, SimilarOutcomes
from retrieval.products import Neighbour, ProductEntry, ProductFilter, ProductIndex
from retrieval.snapshot import Manifest
from retrieval.vectors import Match, VectorIndex

__all__ = [
    "Manifest",
    "Match",
    "MemoryRow",
    "Neighbour",
    "OutcomeMemory",
    "ProductEntry",
    "ProductFilter",
    "ProductIndex",
    "RetrievalError",
    "SimilarOutcomes",
    "SnapshotError",
    "VectorIndex",
]
