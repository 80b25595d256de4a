"""Commands that other installed packages add through the entry point `pricesmith.commands`.

An entry point names a function or a `typer.Typer`. Its line in `pricesmith --help` is the first sentence of the
docstring of the module that holds it, which is read from the source: listing commands imports none of them.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Final

GROUP: Final = "pricesmith.commands"


@dataclass(frozen=True, slots=True)
class Extension:
    """A command of another package: its name, `module:attribute`, and one line for lists."""

    name: str
    target: str
    summary: str


def extensions() -> Iterator[Extension]:
    """Every command that is added, by name; a package that cannot be found is passed over."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            spec = find_spec(point.module)
        except ModuleNotFoundError:
            continue
        if spec is not None:
            yield Extension(point.name, point.value, _summary(spec.loader, point.module))


def _summary(loader: object, module: str) -> str:
    """The first line of a module's docstring; empty where there is no source to read."""
    if not isinstance(loader, SourceFileLoader):
        return ""
    text = ast.get_docstring(ast.parse(loader.get_source(module) or "")) or ""
    return text.partition("\n")[0]
