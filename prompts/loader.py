"""Prompts as versioned YAML files, with a lock file that detects changes and validation of variables."""

import hashlib
import json
import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

LOCK: Final = "lock.json"
UNTRUSTED_CHARS: Final = 80


class PromptError(ValueError):
    """A prompt file, a version or a set of variables is invalid."""


class Variable(BaseModel):
    """One variable; untrusted text, from shoppers, merchants or the web, is sanitised by `sanitise`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    untrusted: bool = False


class _PromptFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int
    variables: Mapping[str, Variable]
    system: str
    user: str
    output: str
    notes: str

    @model_validator(mode="after")
    def _variables_match(self) -> "_PromptFile":
        used = {
            field for text in (self.system, self.user) for _, field, _, _ in string.Formatter().parse(text) if field
        }
        if used != set(self.variables):
            raise ValueError(
                f"system and user text use the variables {sorted(used)}; declared: {sorted(self.variables)}; "
                "remedy: declare exactly the variables that are used"
            )
        return self


class Golden(BaseModel):
    """Values of a prompt's variables, and the exact text that they must render to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Input text of a model, with the SHA-256 of its prompt file."""

    text: str
    prompt_sha256: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt."""

    name: str
    version: int
    variables: Mapping[str, Variable]
    system: str
    user: str
    sha256: str

    @property
    def label(self) -> str:
        """Name, version and first 12 digits of the hash, as recorded in decisions."""
        return f"{self.name}/v{self.version:03d}@{self.sha256[:12]}"

    def render(self, **values: str) -> Rendered:
        """Insert the values of the variables.

        Raises:
            PromptError: A variable is missing or unknown.
        """
        if values.keys() != self.variables.keys():
            missing = sorted(self.variables.keys() - values.keys())
            extra = sorted(values.keys() - self.variables.keys())
            raise PromptError(
                f"prompt {self.label}: missing variables {missing}, unknown variables {extra}; allowed: "
                f"{sorted(self.variables)}, each once"
            )
        safe = {name: sanitise(value) if self.variables[name].untrusted else value for name, value in values.items()}
        text = self.user.format_map(safe)
        return Rendered(f"{self.system.format_map(safe)}\n{text}" if self.system else text, self.sha256)


def sanitise(text: str, limit: int = UNTRUSTED_CHARS) -> str:
    """Sanitise untrusted text: lower-case letters, digits, hyphens and apostrophes, at most `limit` characters."""
    lower = unicodedata.normalize("NFKC", text).lower()
    normal = unicodedata.normalize("NFKC", lower)  # lower-casing may produce combining marks
    kept = (char if unicodedata.category(char)[0] in "LN" or char in "-'" else " " for char in normal)
    return " ".join("".join(kept).split())[:limit].strip() or "unknown"


@cache
def load_prompt(name: str, version: int) -> Prompt:
    """Load one version and check it against the lock.

    Raises:
        PromptError: The version does not exist, is invalid, or differs from its published content.
    """
    return _load(files("prompts"), name, version)


def golden(name: str, version: int) -> Golden:
    """Load the golden rendering of one version.

    Raises:
        PromptError: The file is missing or invalid.
    """
    path = files("prompts") / "golden" / f"{name}-v{version:03d}.yaml"
    if not path.is_file():
        raise PromptError(f"prompts/golden/{path.name} is missing; remedy: write it, with fields values and text")
    try:
        return Golden.model_validate(yaml.safe_load(path.read_bytes()))
    except (ValidationError, yaml.YAMLError) as error:
        raise PromptError(f"prompts/golden/{path.name} is invalid: {error}") from None


def read_draft(path: Path) -> Prompt:
    """Load an unpublished prompt for evaluation; its version may be a published one.

    Raises:
        PromptError: The file is missing or invalid.
    """
    if not path.is_file():
        raise PromptError(f"prompt file {path} does not exist")
    raw = path.read_bytes()
    parsed = _parsed(raw, str(path))
    digest = hashlib.sha256(raw).hexdigest()
    return Prompt(parsed.name, parsed.version, parsed.variables, parsed.system, parsed.user.strip(), digest)


def _load(root: Traversable, name: str, version: int) -> Prompt:
    path = root / name / f"v{version:03d}.yaml"
    if not path.is_file():
        raise PromptError(
            f"prompt {name} v{version:03d} does not exist; published: {', '.join(prompt_versions()) or 'none'}"
        )
    raw = path.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    expected = read_lock(root).get(_key(name, version))
    if expected is None:
        raise PromptError(f"prompt {name} v{version:03d} is not in {LOCK}; remedy: python -m prompts.lock")
    if expected != digest:
        raise PromptError(
            f"prompt {name} v{version:03d} has SHA-256 {digest[:12]}…; {LOCK} says: {expected[:12]}…; published "
            "versions never change; remedy: restore the file and write a new version"
        )
    parsed = _parsed(raw, f"prompt {name} v{version:03d}")
    if (parsed.name, parsed.version) != (name, version):
        raise PromptError(
            f"{name}/v{version:03d}.yaml has name {parsed.name!r} and version {parsed.version}; expected: {name!r} and "
            f"{version}"
        )
    return Prompt(name, version, parsed.variables, parsed.system, parsed.user.strip(), digest)


def _parsed(raw: bytes, named: str) -> _PromptFile:
    try:
        return _PromptFile.model_validate(yaml.safe_load(raw))
    except (ValidationError, yaml.YAMLError) as error:
        raise PromptError(f"{named} is invalid: {error}") from None


def prompt_versions() -> list[str]:
    """List all published prompts as `name/vNNN`."""
    return sorted(read_lock(files("prompts")))


def read_lock(root: Traversable) -> dict[str, str]:
    """Read the lock file, a map of `name/vNNN` to SHA-256."""
    path = root / LOCK
    return (
        {str(key): str(value) for key, value in json.loads(path.read_text("utf-8")).items()} if path.is_file() else {}
    )


def _key(name: str, version: int) -> str:
    return f"{name}/v{version:03d}"
