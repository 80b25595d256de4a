"""Docstrings open with a verb or a noun of the domain, and files stay short."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "docs", "eval", "examples", "models", "prompts", "retrieval")
VAGUE = ("What ", "How ", "The same ", "Why ", "Where ")
MOST_LINES = 400


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def vague_docstrings(source: str) -> Iterator[str]:
    """First lines of docstrings that open with a question word."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if text.startswith(VAGUE):
                yield text.partition("\n")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_open_with_a_verb_or_a_noun(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / package).rglob("*.py"))
        if (lines := list(vague_docstrings(path.read_text("utf-8"))))
    }
    assert found == {}


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("opening", VAGUE)
def test_a_vague_opening_is_found(opening: str) -> None:
    assert list(vague_docstrings(f'def f():\n    """{opening}it does."""\n')) == [f"{opening}it does."]
