"""Views of a quote: everything for merchants, what a shopper may see for everyone else.

The shopper's view has nothing that cost could be computed from: no scores, candidates, strategy, limits or versions. It
is the only one for keys without the scope `merchant`. Keys with that scope get the merchant's view unless they ask for
the shopper's.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from litestar.params import QueryParameter

from agent.api.context import AppContext
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.shown import Shown, View
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope

CANDIDATES: Final = "candidates"

Include = Annotated[
    str | None,
    QueryParameter(
        description="`candidates` adds every candidate that was scored; needs the merchant's view.",
        schema_extra={"enum": ["candidates"]},
    ),
]
ViewName = Annotated[
    str | None,
    QueryParameter(
        description="`shopper`: what a shopper may see. `merchant`: everything; needs the scope `merchant`. By default "
        "the most that the key may see.",
        schema_extra={"enum": ["shopper", "merchant"]},
    ),
]


@dataclass(frozen=True, slots=True)
class AskedView:
    """The view that a request asks for; None for the caller's own."""

    view: View | None
    candidates: bool

    @classmethod
    def of(cls, view: str | None, include: str | None = None) -> "AskedView":
        """Read query parameters.

        Raises:
            Problem: 422, for unknown values, or candidates in the shopper's view.
        """
        if view not in (None, *View):
            raise _unknown("view", view, " or ".join(View))
        if include not in (None, CANDIDATES):
            raise _unknown("include", include, CANDIDATES)
        if include is not None and view == View.SHOPPER:
            problem = FieldProblem("include", "the shopper's view has no candidates", include, "view=merchant")
            detail = f"include={CANDIDATES} does not go with view=shopper; allowed: view=merchant"
            raise Problem(422, detail, [problem], code=Code.PARAMETER_INVALID)
        return cls(None if view is None else View(view), include is not None)

    def granted(self, context: AppContext) -> Shown:
        """The view that the caller's key may have.

        Raises:
            Problem: 403, when the key lacks the scope for what is asked.
        """
        if context.key is not None and context.key.allows(Scope.MERCHANT):
            return Shown(self.view or View.MERCHANT, self.candidates)
        if self.view is View.MERCHANT or self.candidates:
            asked = "view=merchant" if self.view is View.MERCHANT else f"include={CANDIDATES}"
            raise Problem(
                403,
                f"{asked} needs a key with the scope 'merchant'; remedy: leave it out for the shopper's view, or "
                "`pricesmith keys create NAME --scope quotes --scope merchant`",
                code=Code.VIEW_NOT_ALLOWED,
            )
        return Shown(View.SHOPPER)


def _unknown(name: str, value: str | None, allowed: str) -> Problem:
    received = (value or "")[:80]
    return Problem(
        422,
        f"{name} is {received!r}; allowed: {allowed}",
        [FieldProblem(name, "unknown value", received, allowed)],
        code=Code.PARAMETER_INVALID,
    )
