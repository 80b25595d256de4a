"""Errors that users can act on become one message and an exit code; anything else is a bug and shows its traceback.

Errors are recognised by the names of their classes, so that reporting one imports nothing: a command that prints its
version must not load what only another command can fail in.
"""

import errno
import sys
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, runtime_checkable

from agent.cli.exit_codes import ExitCode
from agent.cli.remedies import with_data_dir

EXPECTED: Final[Mapping[str, ExitCode]] = MappingProxyType(
    {
        "agent.cli.errors:CommandError": ExitCode.FAILED,
        "agent.cli.errors:ServerUnavailable": ExitCode.UNAVAILABLE,
        "agent.domain.money:MoneyError": ExitCode.FAILED,
        "agent.pricing.tracing:TracingError": ExitCode.FAILED,
        "agent.rules.book:RuleError": ExitCode.FAILED,
        "agent.rules.packs.errors:PackError": ExitCode.FAILED,
        "agent.service.auth.api_keys:ApiKeyError": ExitCode.FAILED,
        "agent.service.auth.signing_keys:TokenKeyError": ExitCode.FAILED,
        "agent.service.backup.archive:BackupError": ExitCode.FAILED,
        "agent.service.ingest.errors:ImportFormatError": ExitCode.FAILED,
        "agent.service.ingest.store_choice:WrongStoreError": ExitCode.FAILED,
        "agent.service.merchants:MerchantError": ExitCode.FAILED,
        "agent.service.webhooks.url_check:RefusedAddressError": ExitCode.FAILED,
        "agent.service.own_shop:ShopError": ExitCode.FAILED,
        "agent.service.settings_reading:SettingsError": ExitCode.USAGE,
        "agent.store.errors:StoreError": ExitCode.FAILED,
        "agent.store.errors:StoreUnavailable": ExitCode.UNAVAILABLE,
        "agent.training.promotion:NotProven": ExitCode.FAILED,
        "builtins:FileNotFoundError": ExitCode.FAILED,
        "builtins:IsADirectoryError": ExitCode.FAILED,
        "builtins:NotADirectoryError": ExitCode.FAILED,
        "builtins:PermissionError": ExitCode.FAILED,
        "models.errors:ModelError": ExitCode.FAILED,
        "prompts.loader:PromptError": ExitCode.FAILED,
        "pydantic_core._pydantic_core:ValidationError": ExitCode.FAILED,
        "retrieval.errors:RetrievalError": ExitCode.FAILED,
    }
)
"""Root classes of expected errors, `module:class`, with the exit code of each; a subclass may have its own."""


_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_OS_REMEDIES: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.ENOENT: "check the name; it is looked for from the folder in which the command runs",
        errno.EISDIR: "name a file",
        errno.ENOTDIR: "name a folder",
        errno.EACCES: "a file or folder that this user may read and write",
        errno.EPERM: "a file or folder that this user may read and write",
        errno.ENOSPC: "free some space on the disk",
        errno.EDQUOT: "free some space on the disk",
        errno.EROFS: "a folder that can be written to",
    }
)


class CommandError(RuntimeError):
    """Root of the errors that commands themselves raise; the message says what is wrong and the remedy."""


class ServerUnavailable(CommandError):
    """No server answered, or it cannot answer now; the same request may succeed later."""


class ServerRefused(CommandError):
    """A server answered, and refused."""


class MissingExtra(CommandError):
    """A command needs packages that come with an extra of Pricesmith."""

    def __init__(self, package: str | None, extra: str) -> None:
        """`package` is missing; `extra` brings it."""
        super().__init__(f"this command needs the package {package}; remedy: pip install 'pricesmith[{extra}]'")


@runtime_checkable
class FieldErrors(Protocol):
    """A pydantic validation error: several fields, each with its own message."""

    title: str

    def errors(self, *, include_url: bool = True) -> list[Any]:
        """One entry for each field."""
        ...


def exit_code_of(error: BaseException) -> ExitCode | None:
    """The exit code of an expected error, None for a bug."""
    if isinstance(error, OSError) and error.errno in _DISK:
        return ExitCode.UNAVAILABLE
    names = (f"{cls.__module__}:{cls.__qualname__}" for cls in type(error).__mro__)
    return next((EXPECTED[name] for name in names if name in EXPECTED), None)


def report(error: Exception) -> ExitCode:
    """Write an error to standard error; returns the exit code to end with."""
    code = exit_code_of(error)
    if code is None:
        traceback.print_exception(error)
        sys.stderr.write("pricesmith: this is a bug in Pricesmith; please report it with the lines above\n")
        return ExitCode.BUG
    sys.stderr.write(f"pricesmith: {with_data_dir(message_of(error), sys.argv)}\n")
    return code


def message_of(error: Exception) -> str:
    """An expected error in words: what is wrong and, where the error knows it, the remedy."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        remedy = _OS_REMEDIES.get(error.errno or 0)
        return f"{where}{error.strerror or error}{f'; remedy: {remedy}' if remedy else ''}"
    if isinstance(error, FieldErrors):
        return "\n  ".join(["the input is not valid:", *field_messages(error)])
    return str(error)


def field_messages(error: FieldErrors) -> list[str]:
    """One line for each invalid field: its place, what is wrong, what was given."""
    lines = []
    for problem in error.errors(include_url=False):
        place = ".".join(map(str, problem["loc"])) or "the whole input"
        shown = isinstance(problem["input"], str | int | float) and problem["type"] != "missing"
        given = f" (given: {str(problem['input'])[:80]})" if shown else ""
        lines.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}{given}")
    return lines
