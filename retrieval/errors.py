"""Errors of the retrieval package."""


class RetrievalError(RuntimeError):
    """Root of everything that retrieval raises on purpose."""


class SnapshotError(RetrievalError):
    """A snapshot is missing, truncated, tampered with, or was made with another encoder."""
