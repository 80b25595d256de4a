"""Response model of the readiness check."""

from pydantic import BaseModel

from agent.store import StoreKind


class ReadyAnswer(BaseModel):
    """Whether quotes can be made, and from whose store; `checks` says `ok` or what is wrong, by part."""

    ready: bool
    checks: dict[str, str]
    store: StoreKind
