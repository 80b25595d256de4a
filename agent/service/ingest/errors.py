"""Errors of the import."""


class ImportFormatError(ValueError):
    """A file that cannot be imported at all, as opposed to rows of it."""


class CellError(ValueError):
    """One bad cell: its column, what it held, what is wrong."""

    def __init__(self, column: str, value: object, reason: str) -> None:
        """`value` is shown shortened."""
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.value = str(value)[:80]
        self.reason = reason
