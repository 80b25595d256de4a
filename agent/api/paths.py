"""Paths with ids in them: an id may contain any character, percent-encoded, and is read in its normal form."""

import re
from typing import Annotated, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from litestar.params import PathParameter
from litestar.types import HTTPScope

from agent.api.context import AnyRequest
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.domain.fields import MAX_ID, normal_id
from agent.domain.refusal import FieldProblem

_SHOWN: Final = 80
_ALLOWED: Final = "1 to 200 visible characters, percent-encoded as UTF-8"
_BOUNDS: Final = {"minLength": 1, "maxLength": MAX_ID}

_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.~-]*")  # characters that quoting leaves as they are

QuoteId = Annotated[str, PathParameter(description="Id of a quote.", schema_extra=_BOUNDS)]
ShopperId = Annotated[
    str, PathParameter(description="The shop's own id of a shopper, percent-encoded.", schema_extra=_BOUNDS)
]
WebhookId = Annotated[str, PathParameter(description="Id of a webhook.", schema_extra=_BOUNDS)]


def routed_path(scope: HTTPScope) -> str:
    """The path for the router, each segment percent-encoded in one way.

    The path that servers decode is of no use with ids: in it an encoded slash has become one that separates segments,
    and the router merges slashes and drops the last one.
    """
    path = scope["path"]
    raw = (scope.get("raw_path") or b"").partition(b"?")[0].decode("ascii", "replace")
    if raw == path and _PLAIN.fullmatch(path):
        return path
    if unquote(unquote(raw)) != unquote(
        path
    ):  # a server sends none, or mounts the app under a prefix; some decode twice
        raw = quote(path, errors="replace")
    return "/".join(quote(unquote_to_bytes(segment), safe="") for segment in raw.split("/"))


def decode_path_ids(request: AnyRequest) -> None:
    """Decode the ids in a request's path, for all handlers.

    Raises:
        Problem: 422, for one that is not UTF-8 or has no normal form.
    """
    if request.scope["path_params"]:  # the router shares it between requests: replaced, not changed
        request.scope["path_params"] = {
            name: _decoded(name, value) if isinstance(value, str) else value
            for name, value in request.scope["path_params"].items()
        }


def _decoded(name: str, encoded: str) -> str:
    try:
        return normal_id(unquote(encoded, errors="strict"))
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    except ValueError as error:
        reason = str(error)
    problem = FieldProblem(name, reason, encoded[:_SHOWN], _ALLOWED)
    detail = f"the {name} in the path is not an id: {reason}; allowed: {_ALLOWED}"
    raise Problem(422, detail, [problem], code=Code.PATH_INVALID)
