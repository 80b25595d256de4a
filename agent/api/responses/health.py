"""Response model of the readiness check."""

from pydantic import BaseModel


class ReadyAnswer(BaseModel):
    """Whether quotes can be made; `checks` says `ok` or what is wrong, by part."""

    ready: bool
    checks: dict[str, str]
