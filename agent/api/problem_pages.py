"""Pages about the kinds of problems, to which the `type` of an error answer refers; no key is needed."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.params import PathParameter
from pydantic import BaseModel, Field

from agent.api.openapi import operation
from agent.api.problem_codes import KINDS, TYPES, Code
from agent.api.problems import Problem
from agent.api.responses.rendering import json_response

_CACHED: Final = {"Cache-Control": "public, max-age=3600"}


class ProblemKind(BaseModel):
    """A kind of problem."""

    type: str = Field(description="Path of this page, as error answers give it.")
    code: Code = Field(description="Stable word for the kind.")
    status: int = Field(description="HTTP status with which it is answered.")
    title: str = Field(description="The kind in a few words.")
    meaning: str = Field(description="What the problem means.")
    remedy: str = Field(description="What the sender can do.")


class ProblemKinds(BaseModel):
    """All kinds of problems, by status."""

    items: list[ProblemKind]


@get("/problems", operation_id="listProblems", operation_class=operation(None, ProblemKinds, ()), tags=["operations"])
async def list_problems() -> Response[bytes]:
    """All kinds of problems that error answers name."""
    return json_response(ProblemKinds(items=[problem_kind(code) for code in KINDS]), headers=_CACHED)


@get(
    "/problems/{code:str}",
    operation_id="getProblem",
    operation_class=operation(None, ProblemKind, (404, 422)),
    tags=["operations"],
)
async def get_problem(code: Annotated[str, PathParameter(description="Code of a kind of problem.")]) -> Response[bytes]:
    """Meaning of a problem, and what to do about it."""
    if code not in set(Code):
        detail = f"no kind of problem has the code {code[:80]!r}; allowed: one that GET /problems lists"
        raise Problem(404, detail, code=Code.NOT_FOUND)
    return json_response(problem_kind(Code(code)), headers=_CACHED)


def problem_kind(code: Code) -> ProblemKind:
    """The page about a kind of problem."""
    kind = KINDS[code]
    return ProblemKind(
        type=f"{TYPES}{code}",
        code=code,
        status=kind.status,
        title=kind.title,
        meaning=kind.meaning,
        remedy=kind.remedy,
    )
