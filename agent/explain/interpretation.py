"""Interpretation of a question: its kind, by rules where slots decide, else by the classifier; or why it has none."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.explain import guards
from agent.explain.periods import find_period
from agent.explain.questions import LOG_KINDS, NotUnderstood, Question, QuestionInput, QuestionKind, Slots, language_of
from agent.explain.slots import find_slots
from agent.explain.subjects import Catalogue, find_subject, named_product, unknown_han, unknown_words
from agent.explain.understanding import Guess, Understanding

DEFAULT_QUESTION: Final = "Why this price?"
_SURE: Final = 0.6  # probability from which the classifier overrules, or stands alone
_VALUED: Final = frozenset(
    (
        QuestionKind.WHAT_IF_PRICE,
        QuestionKind.WHAT_IF_COMPETITOR,
        QuestionKind.WHAT_IF_COST,
        QuestionKind.WHAT_IF_STOCK,
        QuestionKind.WHY_NOT,
    )
)
"""Kinds that can use an amount or a change of one."""

_PRICED: Final = _VALUED - {QuestionKind.WHY_NOT, QuestionKind.WHAT_IF_STOCK}
"""Kinds that assume a value where none is named."""


class Quoted(Protocol):
    """The parts of a decision that a question about it is read by."""

    @property
    def product_id(self) -> str | None:
        """Product of the quote."""

    @property
    def currency(self) -> str:
        """Currency of its price."""

    @property
    def price_minor(self) -> int:
        """Its price."""

    @property
    def reference_minor(self) -> int:
        """Its reference price."""

    @property
    def at(self) -> datetime:
        """Time of the quote."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A kind, or the reason why there is none."""

    kind: QuestionKind = QuestionKind.NONE
    reason: NotUnderstood | None = None
    slots: Slots | None = None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Reads questions; `categories` are the names that a question may mention."""

    understanding: Understanding
    catalogue: Catalogue
    categories: Callable[[], Iterable[str]]

    def about_quote(self, ask: QuestionInput, decision: Quoted, now: datetime) -> Question:
        """Read a question about one quote, asked at `now`."""
        if ask.question is None:
            return _question(ask, _Read(QuestionKind.WHY_PRICE), Slots())
        text = ask.question
        slots = find_slots(text, decision.currency, now=now).plausible(decision.price_minor)
        return _question(ask, self._of_quote(text, slots, decision), slots)

    def about_log(self, ask: QuestionInput, now: datetime) -> Question:
        """Read a question about many quotes."""
        text = ask.question or DEFAULT_QUESTION
        period = find_period(text, now)
        slots = Slots(period=None if period is None else period.period)
        return _question(ask, self._of_log(text, text if period is None else period.rest, slots), slots)

    def _of_quote(self, text: str, slots: Slots, decision: Quoted) -> _Read:
        reason = guards.refused(text) or self._several(text)
        if reason is not None:
            return _Read(reason=reason)
        if slots.other_currency is not None:
            return _Read(reason=NotUnderstood.OTHER_CURRENCY)
        found = self._kind_of_quote(text, slots, decision)
        kind = found.kind
        if found.reason is None and self._names_another(text, decision):
            return _Read(reason=NotUnderstood.OTHER_PRODUCT)
        if kind is QuestionKind.NONE:
            return found
        if kind is not QuestionKind.PRICE_HISTORY and not _on_its_day(slots, decision):
            return _Read(reason=NotUnderstood.OTHER_DAYS)
        if kind in _VALUED and kind is not QuestionKind.WHAT_IF_STOCK and slots.several_amounts:
            return _Read(reason=NotUnderstood.SEVERAL_AMOUNTS)
        told = slots.change_pct is not None or slots.change_minor is not None or slots.amount_minor is not None
        if kind not in _VALUED and told and not _is_quoted(slots, decision) and not _counts(kind, slots):
            return _Read(reason=NotUnderstood.UNUSED_AMOUNT)
        if kind in _PRICED and not slots.names_a_value and any(char.isdigit() for char in text):
            return _Read(reason=NotUnderstood.UNUSED_AMOUNT)
        return found

    def _kind_of_quote(self, text: str, slots: Slots, decision: Quoted) -> _Read:
        """The kind by the slots where they decide it, else by the classifier."""
        guess = self.understanding.read(text)
        if guess.kind in LOG_KINDS and guess.probability >= _SURE:
            return _Read(reason=NotUnderstood.ELSEWHERE_LOG)
        inputs = guards.inputs_named(text)
        if slots.names_a_value and slots.factor != 0 and slots.other is None and not inputs:
            if guards.mentions("share_of", text):
                return _Read()
            if not guards.mentions("other_topics", text):
                return self._by_value(text, slots, decision, guess)
        kind = _settled(guess, inputs, slots)
        if kind is QuestionKind.WHY_PRICE and guards.asks_why_not(text):
            kind = QuestionKind.WHY_NOT
        return _Read(kind if _borne_out(kind, text, slots) else QuestionKind.NONE)

    def _by_value(self, text: str, slots: Slots, decision: Quoted, guess: Guess) -> _Read:
        """The kind of a question that names a value and no input that it could belong to."""
        if guards.mentions("why", text) and not (guess.kind is QuestionKind.COMPARE and slots.bare_amount):
            sure = guess.kind is QuestionKind.WHY_PRICE and guess.probability >= _SURE
            positive = (sure or _is_quoted(slots, decision)) and not guards.mentions("negated", text)
            return _Read(QuestionKind.WHY_PRICE if positive else QuestionKind.WHY_NOT)
        if _means_price(text, guess):
            return _Read(QuestionKind.WHAT_IF_PRICE)
        if guess.kind in (QuestionKind.WHAT_IF_PRICE, *LOG_KINDS):
            return _Read()
        return _Read(guess.kind if _borne_out(guess.kind, text, slots) else QuestionKind.NONE)

    def _several(self, text: str) -> NotUnderstood | None:
        """Several questions in one, where their kinds are sure and differ."""
        asked = guards.parts(text)
        if len(asked) < 2:
            return None
        found = {one.kind for one in map(self.understanding.read, asked) if one.probability >= _SURE}
        return NotUnderstood.SEVERAL_QUESTIONS if len(found - {QuestionKind.NONE}) > 1 else None

    def _names_another(self, text: str, decision: Quoted) -> bool:
        """Whether another product than the quote's is named by the head of its title."""
        found = named_product(text, self.catalogue.products())
        return bool(found) and decision.product_id not in found

    def _of_log(self, text: str, rest: str, slots: Slots) -> _Read:
        reason = guards.refused(text) or self._several(text)
        if reason is not None:
            return _Read(reason=reason)
        subject = find_subject(rest, self.catalogue, self.categories())
        slots = replace(
            slots,
            subject=subject.words or None,
            products=subject.products,
            category=subject.category,
            near=subject.near,
        )
        found = _Read(slots=slots)
        guess = self.understanding.read(text)
        named = bool(subject.products or subject.category)
        if guess.kind not in (*LOG_KINDS, QuestionKind.NONE) and guess.probability >= _SURE and not named:
            return replace(found, reason=NotUnderstood.ELSEWHERE_QUOTE)
        if guards.mentions("why", text) or guards.mentions("supposition", text):
            return replace(found, reason=NotUnderstood.ELSEWHERE_QUOTE)
        if guards.mentions("other_topics", rest) or guards.mentions("ranking", rest):
            return found
        for kind in (QuestionKind.FLOOR_PRODUCTS, QuestionKind.ABOVE_REFERENCE):
            if guess.kind is kind and guards.has_the_words_of(kind, text):
                unused = NotUnderstood.UNUSED_PRODUCT if subject.words else None
                return replace(found, kind=QuestionKind.NONE if unused else kind, reason=unused)
        if guards.mentions("not_in_the_log", rest):
            return found
        if subject.products:
            return replace(found, kind=QuestionKind.PRODUCT_SALES)
        about_sales = guess.kind in (QuestionKind.CATEGORY_DISCOUNTS, QuestionKind.PRODUCT_SALES)
        if subject.words and subject.category is None:
            is_name = unknown_words(rest, about_scores=True) or unknown_han(rest, about_scores=True)
            return replace(found, reason=NotUnderstood.UNKNOWN_PRODUCT if about_sales and is_name else None)
        if subject.category is not None or (
            about_sales and guards.has_the_words_of(QuestionKind.CATEGORY_DISCOUNTS, text)
        ):
            return replace(found, kind=QuestionKind.CATEGORY_DISCOUNTS)
        return found


def _means_price(text: str, guess: Guess) -> bool:
    """Whether a value belongs to the own price.

    It does where every other word may stand in a question about a price, or where the classifier is sure and the
    price is named.
    """
    if guess.kind in (QuestionKind.PRICE_HISTORY, QuestionKind.COMPARE, QuestionKind.SIMILAR_SHOPPERS):
        return False
    of_price = guess.kind in (QuestionKind.WHAT_IF_PRICE, QuestionKind.WHY_NOT)
    strange = unknown_words(text, about_scores=True)
    if not strange and not unknown_han(text, about_scores=True):
        return of_price or guess.kind in (QuestionKind.NONE, *LOG_KINDS) or guess.probability < _SURE
    if any(f"{word} price" in text.lower() for word in strange):  # the price of something else
        return False
    return of_price and guess.probability >= _SURE and guards.mentions("own_price", text)


def _settled(guess: Guess, inputs: list[QuestionKind], slots: Slots) -> QuestionKind:
    """The kind where words of one input and a value decide between what-ifs."""
    what_if = guess.kind.value.startswith("what_if")
    if what_if and QuestionKind.WHAT_IF_STOCK in inputs and slots.count is not None and not slots.names_a_value:
        return QuestionKind.WHAT_IF_STOCK
    if what_if and slots.names_a_value and inputs in ([QuestionKind.WHAT_IF_COST], [QuestionKind.WHAT_IF_COMPETITOR]):
        return inputs[0]
    return guess.kind


def _borne_out(kind: QuestionKind, text: str, slots: Slots) -> bool:
    """Whether a question has a word that its kind needs, and the values that it needs to name."""
    if kind.value.startswith("what_if") and guards.mentions("other_topics", text):
        return False
    if kind in (QuestionKind.WHAT_IF_PRICE, QuestionKind.WHAT_IF_STOCK) and not (
        slots.names_a_value or guards.mentions("hypothetical", text)
    ):
        return False
    if kind in (QuestionKind.WHAT_IF_COST, QuestionKind.WHAT_IF_COMPETITOR):
        return guards.has_the_words_of(kind, text) and (slots.names_a_value or slots.lower is not None)
    if kind is QuestionKind.WHAT_IF_PRICE:
        return not guards.inputs_named(text) and (slots.names_a_value or slots.lower is not None)
    return guards.has_the_words_of(kind, text)


def _is_quoted(slots: Slots, decision: Quoted) -> bool:
    """Whether a question names the quoted price, the reference price, or the discount between them."""
    if slots.change_pct is not None:
        return abs(100 * (decision.price_minor / decision.reference_minor - 1) - slots.change_pct) < 1
    return slots.amount_minor in (decision.price_minor, decision.reference_minor)


def _on_its_day(slots: Slots, decision: Quoted) -> bool:
    """Whether the quote is of the days that a question names, if it names any."""
    period = slots.period
    return period is None or period.first_day <= decision.at.astimezone(UTC).date() <= period.last_day


def _counts(kind: QuestionKind, slots: Slots) -> bool:
    """Whether a bare number is a count that the kind's words explain: 30 days of a price history."""
    return kind in (QuestionKind.PRICE_HISTORY, QuestionKind.COMPARE) and slots.change_pct is None


def _question(ask: QuestionInput, read: _Read, slots: Slots) -> Question:
    text = ask.question or DEFAULT_QUESTION
    reason = read.reason or (NotUnderstood.UNKNOWN if read.kind is QuestionKind.NONE else None)
    language = ask.language or language_of(text)
    return Question(text, read.kind, language, ask.audience, read.slots or slots, reason)
