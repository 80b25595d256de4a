"""The settings: variables that mean nothing, and packages that a setting needs."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Final

from agent.rules.packs import pack_names
from agent.service.doctor.finding import Finding, Level
from agent.service.settings import Settings

PREFIX: Final = "PRICESMITH_"
OTHER_VARIABLES: Final = frozenset(("PRICESMITH_KEY",))  # read by commands, no settings of the service


def check_settings(
    settings: Settings, environment: Mapping[str, str], is_there: Callable[[str], object] = find_spec
) -> list[Finding]:
    """Findings about settings that are valid; one finding that all is well where there are none."""
    found = [
        _unknown(name) for name in sorted(environment) if name.startswith(PREFIX) and name not in known_variables()
    ]
    if settings.pack not in pack_names():
        allowed = ", ".join(pack_names())
        found.append(
            Finding("settings", Level.PROBLEM, f"there is no pack {settings.pack!r}", f"PRICESMITH_PACK: {allowed}")
        )
    if settings.otlp_endpoint is not None and not is_there("opentelemetry.exporter"):
        detail = "PRICESMITH_OTLP_ENDPOINT is set, and the packages that send traces are missing"
        found.append(Finding("settings", Level.PROBLEM, detail, "pip install 'pricesmith[tracing]'"))
    given = [name for name in environment if name in known_variables()]
    return found or [
        Finding("settings", Level.OK, f"{len(given)} given as environment variables, the others by default")
    ]


def known_variables() -> Collection[str]:
    """Every environment variable that is read."""
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES


def _unknown(name: str) -> Finding:
    known = {one.removeprefix(PREFIX) for one in known_variables()}
    close = get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.7)
    remedy = f"did you mean {PREFIX}{close[0]}?" if close else "unset it; docs/reference/settings.md lists all settings"
    return Finding("settings", Level.WARNING, f"{name} is no setting and has no effect", remedy)
