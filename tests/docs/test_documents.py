"""What documents name exists: links and anchors, files and modules, commands and options, settings, HTTP operations."""

import importlib
import re
from typing import Any, Final

import pytest
import yaml

from agent.service.settings import Settings
from docs.generator.commands import commands, is_group
from docs.generator.http import openapi
from tests.docs.markdown import ROOT, Document, documents, slug, written

TOP: Final = ("agent", "docs", "eval", "examples", "models", "ops", "prompts", "retrieval", "tests", ".ci", ".github")
NO_SETTINGS: Final = {"KEY", "URL"}  # the key that `rules` decides as; addresses of the examples
DOCUMENTS: Final = documents()
WRITTEN: Final = written()
COMMANDS: Final[dict[tuple[str, ...], Any]] = dict(commands())
OPTIONS: Final = {
    option
    for command in COMMANDS.values()
    for parameter in command.params
    for option in (*parameter.opts, *parameter.secondary_opts)
}


def named(found: list[Document]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", found, ids=lambda one: one.name)


@named(DOCUMENTS)
def test_every_relative_link_and_anchor_leads_somewhere(document: Document) -> None:
    anchors = {one.path: one.anchors for one in DOCUMENTS}
    for link in document.links:
        if re.match(r"https?://", link):
            continue
        target, _, anchor = link.partition("#")
        path = (document.path.parent / target).resolve() if target else document.path
        assert path.is_relative_to(ROOT), link
        assert path.exists(), f"{link}: there is no {path.relative_to(ROOT)}"
        if anchor:
            assert anchor in anchors[path], f"{link}: no such heading"


def test_documents_of_the_site_link_to_each_other_alone() -> None:
    inside = ROOT / "docs"
    for document in DOCUMENTS:
        if document.path.is_relative_to(inside):
            for link in document.links:
                if not re.match(r"https?://", link):
                    target = (document.path.parent / link.partition("#")[0]).resolve()
                    assert target.is_relative_to(inside), f"{document.name}: {link} is not part of the site"


def test_the_site_lists_every_document() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    listed = set(re.findall(r"[\w/-]+\.md", text[text.index("\nnav:") :]))
    assert listed == {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}


@named(WRITTEN)
def test_every_file_and_module_that_is_named_exists(document: Document) -> None:
    for span in document.spans:
        for word in span.split():
            path = word.rstrip("/").partition(":")[0]
            if path.split("/")[0] in TOP and "/" in word and not re.search(r"[<>*{}]", word):
                assert (ROOT / path).exists(), f"{word} does not exist"
            if re.fullmatch(r"(agent|docs|eval|models|prompts|retrieval)(\.\w+)+", word):
                assert is_importable(word), f"{word} is no module"


def is_importable(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    path = ROOT.joinpath(*parts)
    if path.with_suffix(".py").exists() or path.is_dir():
        return True
    owner = ROOT.joinpath(*parts[:-1])
    if not (owner.with_suffix(".py").exists() or owner.is_dir()):
        return False
    return hasattr(importlib.import_module(".".join(parts[:-1])), parts[-1])


@named(DOCUMENTS)
def test_every_command_and_option_that_is_named_exists(document: Document) -> None:
    lines = [line for block in document.fences for line in block.splitlines()] + document.spans
    for line in lines:
        for call in re.split(r"&&|\|\||[;|()]|\bpip\b", line):
            _check_call(call.split("#")[0])
    for span in document.spans:
        option = re.match(r"(--[a-z][a-z-]*)\b", span)
        if option is not None:
            assert option.group(1) in OPTIONS | {"--help"}, f"no command has {span}"


def _check_call(call: str) -> None:
    found = re.search(r"(?:^|\s|\$)(?:pricesmith|-m agent\.cli)(?:\s+|$)(.*)", call)
    if found is None:
        return
    words = found.group(1).split()
    path: tuple[str, ...] = ("pricesmith",)
    while words and (*path, words[0]) in COMMANDS:
        path = (*path, words.pop(0))
    command = COMMANDS[path]
    if is_group(command):
        given = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
        assert not given, f"{' '.join(path)} has no command {given[0]}: {call}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        option = re.match(r"--[a-z][a-z-]*", word)
        if option is not None:
            assert option.group() in known | {"--help"}, f"{' '.join(path)} has no {option.group()}: {call}"


@named(DOCUMENTS)
def test_every_make_target_that_is_named_exists(document: Document) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    lines = [line for block in document.fences for line in block.splitlines()] + document.spans
    for line in lines:
        for target in re.findall(r"^make ([a-z-]+)", line):
            assert target in targets, f"make {target}"


@named(DOCUMENTS)
def test_every_setting_that_is_named_exists(document: Document) -> None:
    known = {name.upper() for name in Settings.model_fields} | NO_SETTINGS
    assert set(re.findall(r"PRICESMITH_([A-Z][A-Z_]*[A-Z])", document.text)) <= known


@named(DOCUMENTS)
def test_every_http_operation_that_is_named_exists(document: Document) -> None:
    paths = openapi()["paths"]
    known = [f"{method.upper()} {re.sub(r'{[^}]*}', '[^/]+', path)}" for path, one in paths.items() for method in one]
    for method, path in re.findall(r"\b(GET|POST|PUT|DELETE) (/[\w/{}.-]*[\w}])", document.text):
        if path.startswith(("/v1", "/livez", "/readyz", "/metrics", "/.well-known")):
            assert any(re.fullmatch(one, f"{method} {path}") for one in known), f"{method} {path}"


@named(WRITTEN)
def test_lines_are_wrapped(document: Document) -> None:
    for line in document.prose.splitlines():
        assert len(line) <= 120 or line.startswith("|"), line


def test_every_alert_has_a_section_in_the_runbook() -> None:
    rules: Any = yaml.safe_load((ROOT / "ops" / "alerts.yaml").read_text("utf-8"))
    runbook = next(one for one in DOCUMENTS if one.path.name == "runbook.md")
    alerts = {slug(rule["alert"]) for group in rules["groups"] for rule in group["rules"]}
    assert alerts <= runbook.anchors


def test_goals_are_numbered_without_gaps() -> None:
    goals = next(one for one in DOCUMENTS if one.path.name == "goals.md")
    numbers = [int(found) for found in re.findall(r"^\| G(\d+) \|", goals.text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_page_of_experiments_is_in_their_index() -> None:
    index = next(one for one in DOCUMENTS if one.name == "docs/experiments/index.md")
    pages = {path.name for path in index.path.parent.glob("*.md")} - {"index.md"}
    assert set(index.links) == pages
