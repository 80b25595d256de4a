"""Commands that need no models load none: they start in under 0.6 s and 80 MB on an idle machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.main import COMMANDS

HEAVY = {"faiss", "litestar", "numpy", "openvino", "pandas", "pyarrow", "scipy", "torch", "transformers"}
SHOW_MODULES = """
import atexit, sys
from agent.cli.main import main
sys.argv[0] = "pricesmith"
atexit.register(lambda: print("modules:", *sys.modules))
main()
"""
HELP_OF_ALL = """
import sys
from typer.testing import CliRunner
from agent.cli.main import COMMANDS, app
for entry in COMMANDS:
    done = CliRunner().invoke(app, [entry.name, "--help"], catch_exceptions=False)
    assert done.exit_code == 0, entry.name
print("modules:", *sys.modules)
"""
MEASURE = """
import atexit, resource, sys
from pathlib import Path
from agent.cli.main import main

def measure():
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]  # rusage also counts the parent's
    sys.stderr.write(f"{used.ru_utime + used.ru_stime} {peak}")

sys.argv[0] = "pricesmith"
atexit.register(measure)
main()
"""
MOST_KIB = 80 * 2**10
MOST_CPU_S = 2.5  # 0.6 s of an idle machine; tests share theirs


def modules_after(code: str, *arguments: str) -> set[str]:
    """Every module that was loaded when the command ended."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("modules:")[2].split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def measured(*arguments: str) -> tuple[float, float]:
    """Processor seconds and the peak of resident memory, KiB, of a command."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True
    )
    seconds, peak = done.stderr.split()
    return float(seconds), float(peak)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["eval", "--help"], ["keys", "list"], ["models", "history"], ["serve", "--help"]],
    ids=" ".join,
)
def test_light_commands_load_no_library_of_models(arguments: list[str], tmp_path: Path) -> None:
    folder = [] if "--help" in arguments or "--version" in arguments else ["--data-dir", str(tmp_path)]
    loaded = packages(modules_after(SHOW_MODULES, *arguments, *folder))
    assert "agent" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_and_version_load_no_store_no_settings_and_no_extension(arguments: list[str]) -> None:
    assert modules_after(SHOW_MODULES, *arguments) & {"eval.cli", "pydantic", "sqlalchemy", "rich"} == set()


def test_help_of_no_command_loads_models_or_the_web_framework() -> None:
    assert packages(modules_after(HELP_OF_ALL)) & (HEAVY - {"numpy"}) == set()


def test_keys_are_listed_in_little_time_and_memory(tmp_path: Path) -> None:
    measured("keys", "list", "--data-dir", str(tmp_path))  # makes the database
    seconds, peak_kib = measured("keys", "list", "--data-dir", str(tmp_path))
    assert peak_kib < MOST_KIB
    assert seconds < MOST_CPU_S


def test_help_takes_little_time_and_memory() -> None:
    seconds, peak_kib = measured("--help")
    assert peak_kib < MOST_KIB / 2
    assert seconds < MOST_CPU_S / 2


def test_every_command_names_its_module() -> None:
    assert all(entry.target.startswith("agent.cli.") and ":" in entry.target for entry in COMMANDS)
