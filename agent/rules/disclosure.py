"""Disclosure: the notice to a shopper about a price, from the inputs actually used.

Inputs are named by their source: `profile.income`, `purchase_history`, `session_events`, `product.cost`,
`context.season`, `limits.max_price`. An input not known to be impersonal counts as personal.
"""

from collections.abc import Sequence
from typing import Final

from agent.domain.decision import Disclosure, IgnoredInput
from agent.rules.packs import law_of

SAME_FOR_EVERYONE: Final = "This price is the same for everyone; no personal data set it."
LAST_PRICE: Final = "last_price"
"""Input: the price last quoted to the shopper, used where the merchant limits changes."""
IMPERSONAL: Final = frozenset(("product", "limits", "market", "similar_products", "quantity", "merchant"))
IMPERSONAL_CONTEXT: Final = frozenset(
    ("at", "channel", "competitor_prices", "deadline", "inventory", "jurisdiction", "market_trend", "season")
)


def is_personal(input_name: str) -> bool:
    """Whether an input is personal; an unknown context field is taken to be."""
    source, _, detail = input_name.partition(".")
    if source == "context":
        return detail not in IMPERSONAL_CONTEXT
    return source not in IMPERSONAL


def disclose(
    personalised: bool, inputs_used: Sequence[str], inputs_ignored: Sequence[IgnoredInput], jurisdiction: str | None
) -> Disclosure:
    """The notice for one price.

    Args:
        personalised: Whether personal data set the price. If so, a notice is required everywhere, in places without
            known rules too; if not, nowhere.
        inputs_used: Names of the inputs used, personal or not.
        inputs_ignored: Inputs not used, and why.
        jurisdiction: Code or name from the request.
    """
    law = law_of(jurisdiction)
    personal = [name for name in inputs_used if is_personal(name)]
    notice = law.notice.replace("{inputs}", ", ".join(personal or inputs_used))
    return Disclosure(
        required=personalised,
        text=notice if personalised else SAME_FOR_EVERYONE,
        jurisdiction=law.code if law.aliases else jurisdiction,
        inputs_used=tuple(inputs_used),
        inputs_ignored=tuple(inputs_ignored),
        law=law.name,
        option=law.option if personalised else None,
    )
