"""Query parameters: read into schemas, described in OpenAPI, and refused by name where an operation has none such."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from agent.api.context import AnyRequest
from agent.api.cursors import decode_cursor, encode_cursor
from agent.api.field_problems import field_problems
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.domain.fields import Time
from agent.domain.refusal import FieldProblem
from agent.store.lists import PageOf, Position

Q = TypeVar("Q", bound="PageQuery")

MAX_LIMIT: Final = 200
_MAX_CURSOR: Final = 2_000
_PREFIX: Final = "/v1"
_OFFSET: Final = re.compile(r" (\d\d:\d\d)$")  # a + that was sent as it is reads as a blank


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError("must be true or false")
        return value == "true"
    return value


def _plus(value: Any) -> Any:
    return _OFFSET.sub(r"+\1", value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Moment = Annotated[Time, BeforeValidator(_plus)]


class PageQuery(BaseModel):
    """Parameters that all lists have."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    keys: ClassVar[tuple[type, ...]] = (int, int)
    """Types of the parts of a position in the list."""

    limit: Annotated[
        int, Field(ge=1, le=MAX_LIMIT, description="Largest number of rows of the page."), BeforeValidator(_whole)
    ] = 50
    after: Annotated[
        Annotated[str, Field(min_length=1, max_length=_MAX_CURSOR)] | None,
        Field(description="`next` of the page before; the filters must be the same."),
    ] = None

    @property
    def start(self) -> Position | None:
        """The position after which the page begins; None at the beginning.

        Raises:
            Problem: 422, when `after` is no cursor of this list with these filters.
        """
        return None if self.after is None else decode_cursor(self.after, self._filters(), self.keys)

    def next(self, page: PageOf[Any]) -> str | None:
        """The cursor of the page after this one; None at the end."""
        return None if page.last is None else encode_cursor(page.last, self._filters())

    def _filters(self) -> str:
        return type(self).__name__ + self.model_dump_json(exclude={"limit", "after"}, exclude_none=True)


def read_query(kind: type[Q], request: AnyRequest) -> Q:
    """Read the query parameters of a request.

    Raises:
        Problem: 422, with one error a bad parameter.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            problem = FieldProblem(name, "is given twice", value[:80], "one value")
            raise Problem(422, f"{name} is given twice; allowed: one value", [problem], code=Code.PARAMETER_INVALID)
        given[name] = value
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = field_problems(error.errors(include_url=False), given)
        named = "; ".join(f"{one.field}: {one.message}; allowed: {one.allowed}" for one in problems)
        raise Problem(422, named, problems, code=Code.PARAMETER_INVALID) from None


def refuse_unknown_parameters(request: AnyRequest) -> None:
    """Refuse query parameters that an operation does not have: ignored, a misspelt filter would list everything.

    Raises:
        Problem: 422, naming them, with the parameter that was probably meant.
    """
    if not request.scope["query_string"] or not request.scope["path"].startswith(_PREFIX):
        return
    known = _parameters(request)
    unknown = [
        name for name in dict.fromkeys(name for name, _ in request.query_params.multi_items()) if name not in known
    ]
    if unknown:
        allowed = ", ".join(sorted(known)) or "none"
        problems = [FieldProblem(name[:80], f"no such parameter{_hint(name, known)}", "", allowed) for name in unknown]
        named = ", ".join(f"{name[:80]!r}{_hint(name, known)}" for name in unknown[:3])
        raise Problem(
            422, f"unknown query parameter {named}; allowed: {allowed}", problems, code=Code.PARAMETER_UNKNOWN
        )


def _parameters(request: AnyRequest) -> set[str]:
    handler: Any = request.route_handler
    query = getattr(handler.operation_class, "query", None)
    if query is not None:
        return {field.alias or name for name, field in query.model_fields.items()}
    own = handler.parsed_fn_signature.parameters
    return set(own) - set(request.scope["path_params"]) - {"self", "request"}


def _hint(name: str, known: set[str]) -> str:
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""
