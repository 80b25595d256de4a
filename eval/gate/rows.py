"""Records of a run: one row per case and measure, and the versions under test."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import ModelError
from models.registry.registry import Registry

_HERE: Final = Path(__file__).parent


class GateError(ModelError):
    """A baseline or a run that cannot be compared."""


class Measure(StrEnum):
    """Scale of a row's value: pass (1) or fail (0), or a score, higher is better."""

    PASS = "pass"  # noqa: S105 - no password
    SCORE = "score"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Frozen):
    """One measured value.

    Attributes:
        case: Case identifier; together with `group` it identifies the row across runs.
        group: Name of the rows that are tested together, such as `proposals: direction`.
        value: 1 or 0, or a score (0.01 is one percentage point); higher is better.
        strict: Whether a row that passed may never fail again, whatever the tolerance.
        shown: Question and answer, for examples in reports.
    """

    case: str
    group: str
    value: float
    measure: Measure = Measure.PASS
    strict: bool = False
    shown: str = ""

    @property
    def passed(self) -> bool:
        """Whether a pass row passed."""
        return self.value >= 1


class RunVersions(_Frozen):
    """Versions under test: models, prompt labels, and the revision of the code."""

    models: Mapping[str, str]
    prompts: Sequence[str]
    revision: str

    @property
    def key(self) -> str:
        """Short hash of all versions."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Summary(_Frozen):
    """One run; `command` and `mode` determine its cases, for example `prompts` and `quick`."""

    command: str
    mode: str
    made_at: datetime
    versions: RunVersions
    rows: Sequence[Row]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Summary":
        """Read a file written by `save`.

        Raises:
            GateError: The file is not a run summary of this release.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise GateError(
                f"{path} is not a run summary of this release: {error.error_count()} problems, first at "
                f"{error.errors()[0]['loc']}; remedy: save the baseline again with --save-baseline"
            ) from None


def current_versions(registry: Registry, prompts: Sequence[str]) -> RunVersions:
    """Collect the versions in use."""
    return RunVersions(
        models={kind.value: name for kind, name in registry.in_use().items()}, prompts=prompts, revision=_revision()
    )


def now() -> datetime:
    """Current UTC time in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def _revision() -> str:
    """Git revision of the checkout, with `+` appended if tracked files differ; without git, the release."""
    try:
        head, changed = (
            subprocess.run(  # noqa: S603 - fixed arguments
                ["git", *words],  # noqa: S607
                cwd=_HERE,
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return f"release {version('pricesmith')}"
    return head + ("+" if changed else "")
