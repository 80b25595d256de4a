"""Commands whose modules are imported when they are run, not when they are listed.

`pricesmith --help` and shell completion need a name and one line for each command; importing the commands themselves
would load models' libraries for several seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from agent.cli.extensions import extensions

if TYPE_CHECKING:  # typer carries a copy of click, and its classes' methods speak of that
    from typer._click import Command, Context, HelpFormatter


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or group of commands, known before its module is.

    Attributes:
        target: Where it is: `module:attribute`, a function or a `typer.Typer`.
        summary: One line for lists: the first sentence of its own help.
        section: Heading under which the help lists it.
        kind: Class of the command, `module:attribute`, where its help says more than others'; empty for the usual one.
    """

    name: str
    target: str
    summary: str
    section: str
    kind: str = ""


class LazyCommand(TyperCommand):
    """Stands for a command in lists; `load` imports the command itself."""

    def __init__(self, entry: Entry) -> None:
        """Show what `entry` says."""
        super().__init__(name=entry.name, help=entry.summary, rich_markup_mode=None)
        self.entry = entry

    def load(self) -> "Command":
        """The command, its module imported."""
        found = _imported(self.entry.target)
        around = typer.Typer(rich_markup_mode=None, add_completion=False)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=self.entry.name)
        else:
            around.command(self.entry.name, cls=_imported(self.entry.kind) if self.entry.kind else None)(found)
        return typer.main.get_group(around).commands[self.entry.name]


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


class LazyGroup(TyperGroup):
    """A group of lazy commands under headings, and those that other packages add."""

    entries: ClassVar[Sequence[Entry]] = ()
    extensions_section: ClassVar[str] = "Extensions"

    def __init__(self, **attributes: Any) -> None:
        """List the entries; `attributes` are the group's own."""
        super().__init__(**attributes)
        self._extended = False
        for entry in self.entries:
            self.add_command(LazyCommand(entry))

    def list_commands(self, ctx: "Context") -> list[str]:
        """Names, in the order of the entries; those of other packages last."""
        self._add_extensions()
        return super().list_commands(ctx)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """The command, loaded; while the shell completes names, what stands for it."""
        found = self._stand_in(cmd_name)
        return found.load() if isinstance(found, LazyCommand) and not ctx.resilient_parsing else found

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """The command that the arguments name, loaded: completion goes on inside it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write one list under each heading, all with one width of the first column."""
        known = map(self._stand_in, self.list_commands(ctx))
        lazy = [command for command in known if isinstance(command, LazyCommand)]
        width = max(len(command.entry.name) for command in lazy)
        for section in dict.fromkeys(command.entry.section for command in lazy):
            rows = [
                (f"{command.entry.name:<{width}}", command.entry.summary)
                for command in lazy
                if command.entry.section == section
            ]
            with formatter.section(section):
                formatter.write_dl(rows)

    def _stand_in(self, name: str) -> "Command | None":
        """A placeholder for a command; other packages are asked only for names that are not known here."""
        if name not in self.commands:
            self._add_extensions()
        return self.commands.get(name)

    def _add_extensions(self) -> None:
        if self._extended:
            return
        self._extended = True
        for one in extensions():
            if one.name not in self.commands:
                self.add_command(LazyCommand(Entry(one.name, one.target, one.summary, self.extensions_section)))
