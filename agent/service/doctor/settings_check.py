"""The settings: variables that mean nothing, and packages that a setting needs."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from agent.rules.packs import pack_names
from agent.service.doctor.finding import Finding, Level
from agent.service.settings import Settings
from agent.service.settings_reading import known_variables, unknown_variables


def check_settings(
    settings: Settings, environment: Mapping[str, str], is_there: Callable[[str], object] = find_spec
) -> list[Finding]:
    """Findings about settings that are valid; one finding that all is well where there are none."""
    found = [_unknown(name, meant) for name, meant in unknown_variables(environment).items()]
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


def _unknown(name: str, meant: str | None) -> Finding:
    remedy = f"did you mean {meant}?" if meant else "unset it"
    return Finding("settings", Level.WARNING, f"{name} is no setting and has no effect", remedy)
