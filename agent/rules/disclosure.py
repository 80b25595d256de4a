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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from agent.domain.decision import Disclosure, Duty, IgnoredInput
from agent.rules.packs import Jurisdiction, law_of

SAME_FOR_EVERYONE: Final = "This price is the same for everyone; no personal data set it."
CONSIDERED: Final = "This is the price that everyone may pay; data about you was considered and did not change it."
LOWERED: Final = "This price is lower than the one that everyone may pay; data about you set it."
LAST_PRICE: Final = "last_price"
"""Input: the price last quoted to the shopper, used where the merchant limits changes."""
IMPERSONAL: Final = frozenset(("product", "limits", "market", "similar_products", "quantity", "merchant"))
IMPERSONAL_CONTEXT: Final = frozenset(
    (
        "at",
        "channel",
        "competitor_prices",
        "deadline",
        "inventory",
        "jurisdiction",
        "market_trend",
        "promotion",
        "season",
    )
)


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """Texts where no notice is required, in one language."""

    same: str
    considered: str
    lowered: str


PLAIN_TEXTS: Final[Mapping[str, PlainTexts]] = {
    "en": PlainTexts(SAME_FOR_EVERYONE, CONSIDERED, LOWERED),
    "zh": PlainTexts(
        "本价格对所有人相同，未使用个人信息定价。",
        "本价格为人人适用的价格；曾考虑您的个人信息，但未影响价格。",
        "本价格低于人人适用的价格，由您的个人信息得出。",
    ),
}
_NOT_GIVEN: Final = {"en": "not given", "zh": "未说明"}


@dataclass(frozen=True, slots=True)
class Offered:
    """A price in minor units, beside the one that everyone may pay.

    Attributes:
        consent: Reason that the shopper was told before consenting to a higher price; None without consent.
    """

    price_minor: int
    reference_minor: int
    consent: str | None = None


def is_personal(input_name: str) -> bool:
    """Whether an input is personal; an unknown context field is taken to be."""
    source, _, detail = input_name.partition(".")
    if source == "context":
        return detail not in IMPERSONAL_CONTEXT
    return source not in IMPERSONAL


def is_personalised(inputs_used: Sequence[str], price_minor: int, reference_minor: int) -> bool:
    """Whether a price is personalised, as this module defines it."""
    return price_minor != reference_minor and has_personal(tuple(inputs_used))


@lru_cache(maxsize=16_384)
def has_personal(inputs_used: tuple[str, ...]) -> bool:
    """Check whether any of some inputs is personal."""
    return any(map(is_personal, inputs_used))


def disclose(
    offered: Offered,
    inputs_used: Sequence[str],
    inputs_ignored: Sequence[IgnoredInput],
    place: str | None,
    day: date,
) -> Disclosure:
    """The notice for one price, as it is to be displayed.

    Decisions keep it: it is never computed again, so that newer rules do not change what was shown.

    Args:
        offered: The price.
        inputs_used: Names of the inputs used, personal or not.
        inputs_ignored: Inputs not used, and why.
        place: Code or name from the request.
        day: Day of the decision, as `agent.rules.packs.legal_day` counts it.
    """
    moved = (offered.price_minor > offered.reference_minor) - (offered.price_minor < offered.reference_minor)
    return _disclosure(moved, offered.consent, tuple(inputs_used), tuple(inputs_ignored), (place, day))


@lru_cache(maxsize=16_384)  # a page's requests share it
def _disclosure(
    moved: int,
    consent: str | None,
    inputs_used: tuple[str, ...],
    inputs_ignored: tuple[IgnoredInput, ...],
    where: tuple[str | None, date],
) -> Disclosure:
    """The notice for a price that is above (1), at (0) or below (-1) the one that everyone may pay."""
    place, day = where
    law, raised = law_of(place, day), moved > 0
    personalised = moved != 0 and has_personal(inputs_used)
    required = personalised and law.notice_required(raised=raised)
    return Disclosure(
        required=required,
        text=_notice(law, inputs_used, consent, raised=raised)
        if required
        else _unrequired(law, inputs_used, personalised),
        jurisdiction=law.code if law.aliases else place,
        inputs_used=inputs_used,
        inputs_ignored=inputs_ignored,
        law=law.name,
        option=law.option if personalised else None,
        language=law.language,
        placement=law.placement if required else None,
        duties=tuple(Duty(one.do, one.source) for one in law.duties),
        consent=consent if personalised and raised else None,
    )


def _notice(law: Jurisdiction, inputs_used: Sequence[str], consent: str | None, *, raised: bool) -> str:
    text = law.notice_raised if raised and law.notice_raised is not None else law.notice
    reason = (consent or _NOT_GIVEN[law.language]).rstrip(".。")
    return text.replace("{inputs}", ", ".join(filter(is_personal, inputs_used))).replace("{reason}", reason)


def _unrequired(law: Jurisdiction, inputs_used: tuple[str, ...], personalised: bool) -> str:
    plain = PLAIN_TEXTS[law.language]
    if personalised:
        return plain.lowered
    return plain.considered if has_personal(inputs_used) else plain.same
