"""Errors of file imports."""


class ImportFormatError(ValueError):
    """The file as a whole cannot be imported; bad rows are reported one by one instead."""


class CellError(ValueError):
    """A bad cell: its column, its value, what is wrong and what is allowed."""

    def __init__(self, column: str, value: object, reason: str) -> None:
        """`value` is shortened to 80 characters."""
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.value = str(value)[:80]
        self.reason = reason
