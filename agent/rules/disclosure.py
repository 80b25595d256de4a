"""Disclosure: the notice to a shopper about a price, from the inputs actually used.

A price is *personalised* when personal data entered its choice and it is not the reference price. The reference price
is the merchant's own, not an algorithm's, and everyone may pay it, so that whoever gets it pays nothing else for being
who they are, even where data was considered in looking for another price. Directive 2011/83/EU, Article 6(1)(ea),
speaks of a price that was personalised; New York's section 349-a of pricing that fluctuates and is set by an algorithm
that uses personal data. Neither is true of the reference price. Decisions, notices, explanations, webhooks and the log
of applied prices all go by this.

Inputs are named by their source: `profile.income`, `purchase_history`, `session_events`, `product.cost`,
`context.season`, `limits.max_price`. An input not known to be impersonal counts as personal.
"""

from collections.abc import Sequence
from typing import Final

from agent.domain.decision import Disclosure, IgnoredInput
from agent.rules.packs import law_of

SAME_FOR_EVERYONE: Final = "This price is the same for everyone; no personal data set it."
CONSIDERED: Final = "This is the price that everyone may pay; data about you was considered and did not change it."
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


def is_personalised(inputs_used: Sequence[str], price_minor: int, reference_minor: int) -> bool:
    """Whether a price is personalised, as this module defines it."""
    return price_minor != reference_minor and any(map(is_personal, inputs_used))


def disclose(
    personalised: bool, inputs_used: Sequence[str], inputs_ignored: Sequence[IgnoredInput], jurisdiction: str | None
) -> Disclosure:
    """The notice for one price.

    Args:
        personalised: As `is_personalised` says. If so, a notice is required everywhere, in places without known rules
            too; if not, nowhere.
        inputs_used: Names of the inputs used, personal or not.
        inputs_ignored: Inputs not used, and why.
        jurisdiction: Code or name from the request.
    """
    law = law_of(jurisdiction)
    personal = [name for name in inputs_used if is_personal(name)]
    notice = law.notice.replace("{inputs}", ", ".join(personal or inputs_used))
    unchanged = CONSIDERED if personal else SAME_FOR_EVERYONE
    return Disclosure(
        required=personalised,
        text=notice if personalised else unchanged,
        jurisdiction=law.code if law.aliases else jurisdiction,
        inputs_used=tuple(inputs_used),
        inputs_ignored=tuple(inputs_ignored),
        law=law.name,
        option=law.option if personalised else None,
    )
