"""Cursors of lists: opaque texts that say after which row the next page begins.

A cursor carries digests of its content and of the list and filters that it was made with. They find mistakes, they are
no secret: a forged cursor reaches no row that its sender could not list anyhow.
"""

import base64
import binascii
import hashlib
import json
from typing import Final

from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.domain.refusal import FieldProblem
from agent.store.lists import Position

_DIGEST: Final = 6
_ALLOWED: Final = "`next` of the page before, unchanged, or no `after` for the first page"
_MOST: Final = 2**63


def encode_cursor(position: Position, filters: str) -> str:
    """A cursor after the row at a position of the list that `filters` names."""
    body = json.dumps(position, separators=(",", ":")).encode()
    packed = _digest(filters.encode()) + _digest(filters.encode() + body) + body
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, filters: str, kinds: tuple[type, ...]) -> Position:
    """The position of a cursor, whose parts are of some types.

    Raises:
        Problem: 422, for a text that is no cursor, or a cursor of another list or of other filters.
    """
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _refused(cursor, "is not a cursor") from None
    made_with, digest, body = packed[:_DIGEST], packed[_DIGEST : 2 * _DIGEST], packed[2 * _DIGEST :]
    if made_with != _digest(filters.encode()):
        raise _refused(cursor, "is not a cursor of this list with these filters")
    if digest != _digest(filters.encode() + body):
        raise _refused(cursor, "is not a cursor")
    position = tuple(json.loads(body))
    fits = tuple(type(one) for one in position) == kinds
    if not fits or any(isinstance(one, int) and abs(one) >= _MOST for one in position):
        raise _refused(cursor, "is not a cursor")
    return position


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST).digest()


def _refused(cursor: str, message: str) -> Problem:
    problem = FieldProblem("after", message, cursor[:80], _ALLOWED)
    return Problem(422, f"after {message}; allowed: {_ALLOWED}", [problem], code=Code.CURSOR_INVALID)
