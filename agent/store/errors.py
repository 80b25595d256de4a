"""Errors of the store."""


class StoreError(RuntimeError):
    """Root of everything that the store raises on purpose."""


class StoreUnavailable(StoreError):
    """The database cannot answer now: no connection, a lock that never came free, a full disk. Worth a retry."""


class InvalidRecord(StoreError):
    """A value that no database may keep: NaN, a time without zone, text that is not Unicode. A retry is useless."""
