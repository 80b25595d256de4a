"""Errors of packs."""


class PackError(ValueError):
    """A pack, or a data file that packs refer to, is unknown or malformed."""
