"""The container image: its steps, read from the Dockerfile, as no container runs in tests."""

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import Final

from agent.cli.main import COMMANDS
from agent.service.settings import Settings
from docs.generator.commands import commands

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
STEPS: Final = [tuple(line.split(" ", 1)) for line in TEXT.splitlines() if line and not line.startswith("#")]
BUILD, RUN = TEXT.split("FROM ")[1:]


def steps(word: str) -> list[str]:
    return [rest for first, rest in STEPS if first == word]


def environment() -> dict[str, str]:
    """Variables of the image that runs."""
    return dict(re.findall(r"(PRICESMITH_\w+)=(\S+)", RUN))


def test_what_is_built_lies_outside_the_volume() -> None:
    [volume] = steps("VOLUME")
    built = PurePosixPath(environment()["PRICESMITH_BUILT_MODELS_DIR"])
    assert environment()["PRICESMITH_DATA_DIR"] == volume
    assert not built.is_relative_to(volume)
    assert f"prepare --models-only --data-dir {built.parent}" in BUILD
    copied = re.search(r"COPY --from=build (\S+) (\S+)", RUN)
    assert copied is not None
    assert copied[1] == copied[2]
    assert built.is_relative_to(copied[2])


def test_variables_are_settings() -> None:
    assert {name.removeprefix("PRICESMITH_").lower() for name in environment()} <= set(Settings.model_fields)


def test_it_holds_the_extras_for_postgresql_and_tracing_at_tested_versions() -> None:
    [installed] = [step for step in steps("RUN") if "[" in step and "pip install" in step and "'." in step]
    assert "'.[postgres,tracing]'" in installed
    assert "-c requirements-dev.lock" in installed
    locked = (ROOT / "requirements-dev.lock").read_text().lower()
    for package in ("psycopg==", "psycopg-binary==", "opentelemetry-sdk==", "opentelemetry-exporter-otlp-proto-http=="):
        assert package in locked.replace("_", "-"), package


def test_its_command_is_one_of_ours() -> None:
    [entry], [command] = steps("ENTRYPOINT"), steps("CMD")
    assert json.loads(entry) == ["pricesmith"]
    name, *options = json.loads(command)
    assert name in {one.name for one in COMMANDS}
    known = {option for one in dict(commands())["pricesmith", name].params for option in one.opts}
    assert set(options) <= known


def test_every_file_that_is_copied_exists_and_is_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    files = [word for step in steps("COPY") if not step.startswith(("--", ". ")) for word in step.split()[:-1]]
    needed = [*files, "pyproject.toml", "README.md", "LICENSE", "agent", "eval", "models", "prompts", "retrieval"]
    for name in needed:
        assert (ROOT / name).exists(), name
        assert not any(fnmatch(name, pattern) for pattern in ignored), name


def test_the_index_for_torch_may_be_named_and_taken_away(tmp_path: Path) -> None:
    [default] = steps("ARG")
    assert default == "TORCH_INDEX=https://download.pytorch.org/whl/cpu"
    [step] = [step for step in steps("RUN") if "TORCH_INDEX" in step]
    (tmp_path / "requirements.lock").write_text((ROOT / "requirements.lock").read_text())
    (tmp_path / "pip").write_text('#!/bin/sh\necho "$@" >> called\n')
    (tmp_path / "pip").chmod(0o755)
    for index in ("https://example.org/cpu", ""):
        given = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TORCH_INDEX": index}
        subprocess.run(["/bin/sh", "-ec", step], cwd=tmp_path, env=given, check=True)  # noqa: S603
    [called] = (tmp_path / "called").read_text().splitlines()
    assert re.fullmatch(r"install --no-deps --index-url https://example.org/cpu torch==[\d.]+", called)


def test_the_health_check_asks_the_port_that_the_settings_name() -> None:
    class Alive(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    [check] = steps("HEALTHCHECK")
    _, *words = json.loads(check[check.index("[") :])
    with HTTPServer(("127.0.0.1", 0), Alive) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        given = {**os.environ, "PRICESMITH_PORT": str(server.server_port)}
        alive = subprocess.run([sys.executable, *words], env=given, check=False)  # noqa: S603
        server.shutdown()
        thread.join()
    gone = subprocess.run([sys.executable, *words], env=given, capture_output=True, check=False)  # noqa: S603
    assert (alive.returncode, gone.returncode) == (0, 1)
