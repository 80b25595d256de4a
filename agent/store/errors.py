"""Errors of the store: StoreError, and its kinds by whether a retry helps."""


class StoreError(RuntimeError):
    """Root of all errors of the store."""


class StoreUnavailable(StoreError):
    """The database does not answer: no connection, a lock held too long, a full disk. A retry may succeed."""


class InvalidRecord(StoreError):
    """A value cannot be stored: NaN, a time without time zone, invalid Unicode. A retry fails again."""
