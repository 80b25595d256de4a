"""Response models of the health checks."""

from typing import Literal

from agent.api.responses.answer import Answer
from agent.store import StoreKind


class AliveAnswer(Answer, title="Liveness"):
    """The process is alive."""

    status: Literal["alive"] = "alive"
    """Always `alive`."""


class ReadyAnswer(Answer, title="Readiness"):
    """Whether quotes can be made."""

    ready: bool
    """Whether quotes can be made."""
    checks: dict[str, str]
    """`ok`, or what is wrong, by part."""
    store: StoreKind
    """`demo` where the store holds the demo's data, else `own`."""
