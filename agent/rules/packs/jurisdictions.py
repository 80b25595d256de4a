"""Jurisdictions: one version of the rules that the law of a place sets for prices and notices.

`agent.rules.packs.law_in_force` finds the version that holds on a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from agent.rules.packs.attributes import field_words

EVERYTHING: Final = ("*",)
"""Categories of a rule that binds all goods."""
LONGEST_OFFSET_H: Final = 14
"""Hours by which the earliest time zone is ahead of UTC."""


class Reading(StrEnum):
    """Way in which a source was read when its rules were written down."""

    TEXT = "text"
    """The text itself, or a verbatim copy of it."""
    SECONDARY = "secondary"
    """Reports, summaries or quotations by others."""


class Status(StrEnum):
    """Standing of a version's rules."""

    LAW = "law"
    ANNOUNCED = "announced"
    """A bill, or a law whose day is not fixed: held all the same, as the strict reading."""
    DEFAULT = "default"
    """No law of a place: what is done where none is known."""


class NoticeWhen(StrEnum):
    """Personalised prices that a notice is required with."""

    PERSONALISED = "personalised"
    """Every one."""
    RAISED = "raised"
    """Those above the price that everyone may pay."""


class Citation(BaseModel):
    """Source of a rule, its meaning in our words, and how it was read (None: not recorded)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: str = Field(min_length=1)
    article: str = Field(min_length=1)
    says: str = Field(min_length=1)
    read: Reading | None = None
    seen: str = ""
    """What was read, where it was not the text."""


class DutySource(BaseModel):
    """Something that the page with the price must do, in one sentence, and the source that demands it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: str = Field(min_length=1)
    source: str = Field(min_length=1)


class Jurisdiction(BaseModel):
    """One version of a place's rules.

    A tuple of categories holds words of their names; `*` means all, and products without a category are covered.

    Attributes:
        in_force: First day of these rules, on which the latest of the sources applies; of a bill, its introduction.
        until: Last day, None without one.
        utc_offset_hours: Hours by which the place's easternmost clocks are ahead of UTC at most; the version begins
            with the day there. 0 for places west of Greenwich, where it begins some hours early.
        notes: Reading of the sources where they are ambiguous: the strict one.
        blocks: Attributes that may not be used there, beyond those of the pack.
        language: Of the texts shown where no notice is required.
        notice: Notice required with a personalised price; `{inputs}` stands for the inputs used.
        notice_when: Personalised prices that it is required with.
        notice_raised: Notice with a raised price, where it differs; `{reason}` stands for that of the consent.
        placement: Where and how the notice must stand, where the law says so.
        option: Mention of the price for everyone, beside a personalised one.
        duties: What else the page must do.
        discount_only: Categories in which no personal price may exceed the reference.
        raise_with_consent: Categories in which one may only with a consent that names its reason.
        no_personal_prices: Categories without personal prices.
        prior_price_days: Days before a reduction whose lowest price it is announced from; None for no such rule.
        parity: Whether no price may exceed that of an unknown shopper.
        competitor_record: Whether a competitor's price may be used only with its source, and where it is public.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[A-Z]{2,5}(-[A-Z]{2})?$")
    version: int = Field(ge=1)
    label: str = Field(min_length=1)
    aliases: tuple[str, ...]
    in_force: date
    until: date | None = None
    utc_offset_hours: int = Field(default=0, ge=0, le=LONGEST_OFFSET_H)
    status: Status = Status.LAW
    sources: tuple[Citation, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    language: str = Field(default="en", pattern="^(en|zh)$")
    notice: str = Field(min_length=1)
    notice_when: NoticeWhen = NoticeWhen.PERSONALISED
    notice_raised: str | None = Field(default=None, min_length=1)
    placement: str | None = Field(default=None, min_length=1)
    option: str = Field(min_length=1)
    duties: tuple[DutySource, ...] = ()
    discount_only: tuple[str, ...] = ()
    raise_with_consent: tuple[str, ...] = ()
    no_personal_prices: tuple[str, ...] = ()
    prior_price_days: int | None = Field(default=None, ge=1)
    parity: bool = False
    competitor_record: bool = False

    @property
    def name(self) -> str:
        """Code and version, as decisions record them."""
        return f"{self.code}/{self.version}"

    def holds_on(self, day: date) -> bool:
        """Whether the version's days include this one."""
        return self.in_force <= day and (self.until is None or day <= self.until)

    def discounts_only(self, category: str, *, consent: bool = False) -> bool:
        """Whether personal prices in a category may not exceed the reference price, with `consent` or without."""
        return covers(self.discount_only, category) or (not consent and covers(self.raise_with_consent, category))

    def notice_required(self, *, raised: bool) -> bool:
        """Whether a personalised price needs a notice."""
        return raised or self.notice_when is NoticeWhen.PERSONALISED


@dataclass(frozen=True, slots=True)
class Binding:
    """Rules of law for the price of one request: codes of the place, None where it has no such rule."""

    discount_only: str | None = None
    parity: str | None = None
    no_personal_prices: str | None = None


def covers(words: Sequence[str], category: str) -> bool:
    """Whether a rule for categories with these words binds one; products without a category are taken to be covered."""
    if not words or tuple(words) == EVERYTHING:
        return bool(words)
    named = set(field_words(category.upper()))
    return not named or not named.isdisjoint(words)
