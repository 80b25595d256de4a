"""Prompts as data: versioned YAML files, a lock that keeps published versions from changing, strict variables."""

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
    """A prompt file, a version or a set of variables that is not right."""


class Variable(BaseModel):
    """One variable. Untrusted text comes from shoppers, merchants or the web and is tamed before it enters."""

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
            raise ValueError(f"texts use {sorted(used)}, declared are {sorted(self.variables)}")
        return self


class Golden(BaseModel):
    """Values of a prompt's variables, and the text that they must render to, word for word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text a model reads, and the SHA-256 of the prompt file it came from."""

    text: str
    prompt_sha256: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of one prompt."""

    name: str
    version: int
    variables: Mapping[str, Variable]
    system: str
    user: str
    sha256: str

    @property
    def label(self) -> str:
        """Name, version and the start of the hash, as recorded in decisions."""
        return f"{self.name}/v{self.version:03d}@{self.sha256[:12]}"

    def render(self, **values: str) -> Rendered:
        """Fill in the variables.

        Raises:
            PromptError: A variable is missing or is not one of the prompt's.
        """
        if values.keys() != self.variables.keys():
            missing = sorted(self.variables.keys() - values.keys())
            extra = sorted(values.keys() - self.variables.keys())
            raise PromptError(f"prompt {self.label}: missing variables {missing}, unknown variables {extra}")
        safe = {name: tame(value) if self.variables[name].untrusted else value for name, value in values.items()}
        text = self.user.format_map(safe)
        return Rendered(f"{self.system.format_map(safe)}\n{text}" if self.system else text, self.sha256)


def tame(text: str, limit: int = UNTRUSTED_CHARS) -> str:
    """Untrusted text as one short run of plain words: no control, format or bracket characters, no sentence ends."""
    lower = unicodedata.normalize("NFKC", text).lower()
    normal = unicodedata.normalize("NFKC", lower)  # lower case may leave combining marks behind
    kept = (char if unicodedata.category(char)[0] in "LN" or char in "-'" else " " for char in normal)
    return " ".join("".join(kept).split())[:limit].strip() or "unknown"


@cache
def load_prompt(name: str, version: int) -> Prompt:
    """Load one version and check it against the lock.

    Raises:
        PromptError: It does not exist, is not valid, or differs from what was published under its version.
    """
    return _load(files("prompts"), name, version)


def golden(name: str, version: int) -> Golden:
    """The golden render of one version.

    Raises:
        PromptError: There is none, or it is not valid.
    """
    path = files("prompts") / "golden" / f"{name}-v{version:03d}.yaml"
    if not path.is_file():
        raise PromptError(f"prompts/golden/{path.name} is missing; remedy: write it, with values and text")
    try:
        return Golden.model_validate(yaml.safe_load(path.read_bytes()))
    except (ValidationError, yaml.YAMLError) as error:
        raise PromptError(f"prompts/golden/{path.name} is not valid: {error}") from None


def read_draft(path: Path) -> Prompt:
    """A prompt that is not published yet, to be evaluated; its version need not be new.

    Raises:
        PromptError: It is not there or not valid.
    """
    if not path.is_file():
        raise PromptError(f"there is no prompt file {path}")
    raw = path.read_bytes()
    parsed = _parsed(raw, str(path))
    digest = hashlib.sha256(raw).hexdigest()
    return Prompt(parsed.name, parsed.version, parsed.variables, parsed.system, parsed.user.strip(), digest)


def _load(root: Traversable, name: str, version: int) -> Prompt:
    path = root / name / f"v{version:03d}.yaml"
    if not path.is_file():
        raise PromptError(f"there is no prompt {name} v{version:03d}; known: {', '.join(prompt_versions()) or 'none'}")
    raw = path.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    expected = read_lock(root).get(_key(name, version))
    if expected is None:
        raise PromptError(f"prompt {name} v{version:03d} is not in {LOCK}; remedy: python -m prompts.lock")
    if expected != digest:
        raise PromptError(
            f"prompt {name} v{version:03d} has sha256 {digest[:12]}…, {LOCK} says {expected[:12]}…; published versions "
            "never change; remedy: restore the file and write a new version"
        )
    parsed = _parsed(raw, f"prompt {name} v{version:03d}")
    if (parsed.name, parsed.version) != (name, version):
        raise PromptError(f"{name}/v{version:03d}.yaml says it is {parsed.name} v{parsed.version:03d}")
    return Prompt(name, version, parsed.variables, parsed.system, parsed.user.strip(), digest)


def _parsed(raw: bytes, named: str) -> _PromptFile:
    try:
        return _PromptFile.model_validate(yaml.safe_load(raw))
    except (ValidationError, yaml.YAMLError) as error:
        raise PromptError(f"{named} is not valid: {error}") from None


def prompt_versions() -> list[str]:
    """Every published prompt as `name/vNNN`."""
    return sorted(read_lock(files("prompts")))


def read_lock(root: Traversable) -> dict[str, str]:
    """The lock: `name/vNNN` to SHA-256."""
    path = root / LOCK
    return (
        {str(key): str(value) for key, value in json.loads(path.read_text("utf-8")).items()} if path.is_file() else {}
    )


def _key(name: str, version: int) -> str:
    return f"{name}/v{version:03d}"
