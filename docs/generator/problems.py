"""The page of problem codes, from the table that error answers use."""

from typing import Final

from agent.api.problem_codes import KINDS
from docs.generator.markdown import table

_INTRO: Final = """# Problems

Every error answer is problem details (RFC 9457). `code` is the kind of the problem, a stable word to branch on; `type`
is `/problems/` and that word, a path of the service that answers `GET` with what is said here. `status`, `title`,
`detail` and `errors` say more about this occurrence, and `request_id` is the id under which the service's log has the
request. A row of a batch or a list that failed alone has the same fields in its `problem`. An answer that is repeated
under an `Idempotency-Key` keeps the `request_id` of the request that was answered first.

New codes may be added; a code never changes its meaning."""


def problems_page() -> str:
    """The codes by status."""
    rows = [(f"`{code}`", str(kind.status), kind.meaning, kind.remedy) for code, kind in KINDS.items()]
    return f"{_INTRO}\n\n{table(('code', 'status', 'means', 'do'), rows)}\n"
