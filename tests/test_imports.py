"""The direction of imports: packages, the rooms of `agent`, and no circles anywhere."""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "models": {"models"},
    "prompts": {"prompts"},
    "retrieval": {"retrieval"},
    "agent": {"agent", "models", "prompts", "retrieval"},
    "eval": {"agent", "eval", "models", "prompts", "retrieval"},
}
ROOM_FLOORS = (
    {"domain"},
    {"store"},
    {"rules", "state"},
    {"pricing"},
    {"explain", "planning"},
    {"service", "training"},
    {"api", "console"},
    {"cli", "asgi"},
)
MOST_FLOORS_IN_A_ROOM = 7

Graph = Mapping[str, set[str]]


def module_name(path: Path, root: Path) -> str:
    """The dotted name of a source file; a package goes by its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(source: str, module: str, *, is_package: bool, late: bool = True) -> set[str]:
    """Dotted names that a module imports, those under `TYPE_CHECKING` included; `late` adds those inside functions."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        if late or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting.extend(ast.iter_child_nodes(node))
    return found


@cache
def import_graph(root: Path, package: str, *, late: bool) -> dict[str, set[str]]:
    """Which modules of a package each of its modules imports; re-exporting packages are not edges of their own."""
    files = {module_name(path, root): path for path in sorted((root / package).rglob("*.py"))}
    graph = {}
    for module, path in files.items():
        names = imported_names(path.read_text("utf-8"), module, is_package=path.name == "__init__.py", late=late)
        targets = {name for name in names if name in files}
        graph[module] = targets - {module}
    return graph


def circles(graph: Graph) -> list[set[str]]:
    """Strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = set()
            while node not in component:
                component.add(stack.pop())
            if len(component) > 1:
                found.append(component)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def upward(graph: Graph, floors: Iterable[set[str]]) -> list[str]:
    """Imports between rooms that do not go down, `importer -> imported`."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    wrong = []
    for module, targets in graph.items():
        here = room_of(module)
        for target in sorted(targets):
            there = room_of(target)
            if here and there and here != there and floor[there] >= floor[here]:
                wrong.append(f"{module} -> {target}")
    return wrong


def room_of(module: str) -> str:
    """The second part of a dotted name, empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def floors_of(graph: Graph) -> int:
    """Modules on the longest chain of imports; the graph has no circles."""
    heights: dict[str, int] = {}

    def height(node: str) -> int:
        if node not in heights:
            heights[node] = 1 + max((height(other) for other in graph[node]), default=0)
        return heights[node]

    return max(map(height, graph), default=0)


def within(graph: Graph, room: str) -> dict[str, set[str]]:
    """The part of a graph that lies in one room."""
    kept = {module for module in graph if room_of(module) == room}
    return {module: graph[module] & kept for module in kept}


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    forbidden = set(ALLOWED) - ALLOWED[package]
    wrong = {}
    for path in modules:
        name = module_name(path, ROOT)
        names = imported_names(path.read_text("utf-8"), name, is_package=path.name == "__init__.py")
        if found := {one.partition(".")[0] for one in names} & forbidden:
            wrong[name] = sorted(found)
    assert modules
    assert wrong == {}


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_no_import_circles(package: str) -> None:
    assert circles(import_graph(ROOT, package, late=False)) == []


def test_every_module_of_the_service_stands_in_a_room() -> None:
    rooms = {room_of(module) for module in import_graph(ROOT, "agent", late=False)} - {""}
    assert rooms <= set().union(*ROOM_FLOORS)


def test_rooms_import_lower_floors_only() -> None:
    assert upward(import_graph(ROOT, "agent", late=True), ROOM_FLOORS) == []


@pytest.mark.parametrize("room", sorted(set().union(*ROOM_FLOORS)))
def test_a_room_has_at_most_seven_import_floors(room: str) -> None:
    assert floors_of(within(import_graph(ROOT, "agent", late=False), room)) <= MOST_FLOORS_IN_A_ROOM


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import agent.pricing as p", "agent.pricing"),
        ("from retrieval.products import ProductIndex", "retrieval.products"),
        ("def late():\n    from eval import reports", "eval.reports"),
        ("from . import sibling", "models.sibling"),
        ("from ..agent import domain", "agent.domain"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import agent.cli", "agent.cli"),
    ],
    ids=["import", "from", "inside a function", "relative", "relative to the parent", "for types alone"],
)
def test_every_form_of_import_is_seen(source: str, found: str) -> None:
    assert found in imported_names(source, "models.one", is_package=False)


def planted(root: Path, files: Mapping[str, str]) -> None:
    for name, source in files.items():
        path = root / "agent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


@pytest.mark.parametrize(
    ("low", "high"),
    [("domain", "store"), ("rules", "state"), ("explain", "service"), ("pricing", "cli")],
    ids=["one floor up", "beside", "two up", "from the middle to the roof"],
)
def test_a_planted_way_up_is_found(low: str, high: str, tmp_path: Path) -> None:
    planted(tmp_path, {f"{low}/one.py": f"def late():\n    from agent.{high}.two import x", f"{high}/two.py": "x = 1"})
    assert upward(import_graph(tmp_path, "agent", late=True), ROOM_FLOORS) == [f"agent.{low}.one -> agent.{high}.two"]


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    planted(
        tmp_path,
        {
            "rules/one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from agent.rules.two import x",
            "rules/two.py": "from agent.rules.three import x",
            "rules/three.py": "from agent.rules import one",
            "rules/four.py": "from agent.rules import one",
        },
    )
    assert circles(import_graph(tmp_path, "agent", late=False)) == [
        {"agent.rules.one", "agent.rules.two", "agent.rules.three"}
    ]
