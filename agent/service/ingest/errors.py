"""Errors of file imports."""


class ImportFormatError(ValueError):
    """The file as a whole cannot be imported; bad rows are reported one by one instead."""


class OptionError(ImportFormatError):
    """An option of an import is not of its form: its name, what was received, what is allowed."""

    def __init__(self, option: str, problem: str, received: str, allowed: str) -> None:
        """`option` is named as on the command line, without hyphens in front; `problem` says what is wrong."""
        super().__init__(f"--{option} {problem}; allowed: {allowed}" if allowed else f"--{option}{problem}")
        self.option = option
        self.problem = problem
        self.received = received
        self.allowed = allowed


class CellError(ValueError):
    """A bad cell: its column, its value, what is wrong and what is allowed."""

    def __init__(self, column: str, value: object, reason: str) -> None:
        """`value` is shortened to 80 characters."""
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.value = str(value)[:80]
        self.reason = reason
