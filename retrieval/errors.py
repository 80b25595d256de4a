"""Errors of the retrieval package."""


class RetrievalError(RuntimeError):
    """Root of the errors of this package."""


class SnapshotError(RetrievalError):
    """A snapshot is missing, truncated or altered, or its vectors are of another model version."""
