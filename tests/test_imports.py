"""The direction of imports, and that every module can stand in it."""

import ast
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


def imported_packages(source: str, package: str) -> set[str]:
    """Top-level names that a module imports, at any depth of its code; relative imports are of its own package."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else (node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    forbidden = set(ALLOWED) - ALLOWED[package]
    wrong = {
        str(module.relative_to(ROOT)): sorted(names)
        for module in modules
        if (names := imported_packages(module.read_text("utf-8"), package) & forbidden)
    }
    assert modules
    assert wrong == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import agent.service.service as p", {"agent"}),
        ("from retrieval.products import ProductIndex", {"retrieval"}),
        ("def late():\n    from eval import reports", {"eval"}),
        ("from . import sibling", {"models"}),
    ],
    ids=["import", "from", "inside a function", "relative"],
)
def test_every_form_of_import_is_seen(source: str, found: set[str]) -> None:
    assert imported_packages(source, "models") == found
