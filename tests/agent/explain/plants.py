"""Wrong facts planted into true texts, each of them a lie that a reader could believe."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import yaml

from agent.explain.facts import DATA, Fact, FactTable, Unit, definitions
from agent.explain.questions import Language, QuestionKind
from agent.explain.wording import shown

EN, ZH = Language.EN, Language.ZH
Plant = Callable[[str, FactTable, Language, random.Random], str | None]
FLIPS = {
    EN: (("below", "above"), ("lower by", "higher by"), ("down by", "up by"), ("less than the", "more than the")),
    ZH: (("低", "高"), ("降低", "提高"), ("下降", "上升")),
}
CODED = ("reason", "held", "rung", "loyalty", "rule", "input", "attribute")  # exchanged for others of their own sort
CAUSES = {
    EN: ("stock is deep", "the deadline is near", "several units are asked for", "a competitor is cheaper"),
    ZH: ("库存偏多", "截止时间临近", "一次购买多件", "竞争对手更便宜"),
}
ABSENT = (
    (
        frozenset(("discount_pct", "premium_pct")),
        {EN: "It stays at its reference price, the price for everyone.", ZH: "这是所有人都可以支付的价格。"},
    ),
    (frozenset(("discount_pct", "premium_pct")), {EN: "This quote is at the reference price.", ZH: "本报价按参考价。"}),
    (frozenset(("outcomes",)), {EN: "No similar past offers were found.", ZH: "没有找到相似的历史报价。"}),
    (frozenset(("weeks",)), {EN: "No weekly prices are known.", ZH: "没有它的周价格记录。"}),
    (frozenset(("rule",)), {EN: "No limit moved the price.", ZH: "没有限制改变价格。"}),
    (frozenset(("inputs",)), {EN: "The price is not personalised.", ZH: "价格没有个性化。"}),
    (frozenset(("moved_down_pct", "moved_up_pct")), {EN: "It is the same as the first price.", ZH: "价格与最早相同。"}),
)
_WORDS = yaml.safe_load((DATA / "words.yaml").read_text("utf-8"))
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def planted(text: str, table: FactTable, language: Language, seed: int) -> Iterator[tuple[str, str]]:
    """Names of lies and the text with each of them."""
    rng = random.Random(seed)  # noqa: S311 - test data
    for name, plant in _PLANTS.items():
        lie = plant(text, table, language, rng)
        if lie is not None and lie != text:
            yield name, lie


@lru_cache(maxsize=1)  # each lie about one text asks for them
def _values(text: str, table: FactTable, language: Language) -> tuple[tuple[str, str], ...]:
    """Key and shown value of numeric facts that the text says."""
    numeric = [fact for fact in table.facts if not isinstance(fact.value, str | tuple)]
    said = [(fact.key, shown(fact, language, table.currency)) for fact in numeric]
    return tuple((key, value) for key, value in said if re.search(rf"(?<![\d.,]){re.escape(value)}(?!\d)", text))


def _replace(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![\d.,]){re.escape(old)}(?!\d)", lambda _: new, text, count=1)


def _other_number(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
    values = _values(text, table, language)
    if not values:
        return None
    return _changed(text, rng.choice(values)[1], rng)


def _changed(text: str, value: str, rng: random.Random) -> str:
    """The text with one digit of a value changed."""
    digits = _NUMBER.search(value)
    assert digits is not None
    number = digits.group()
    places = [index for index, char in enumerate(number) if char.isdigit()]
    at = rng.choice(places)
    other = rng.choice([digit for digit in "123456789" if digit != number[at]])
    return _replace(text, value, value.replace(number, number[:at] + other + number[at + 1 :]))


def _swapped(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
    """Two values of one unit exchanged."""
    values = _values(text, table, language)
    pairs = [
        (a, b)
        for key_a, a in values
        for key_b, b in values
        if a != b and key_a < key_b and _sign(a) == _sign(b) and text.count(a) == 1 and text.count(b) == 1
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    return _replace(_replace(_replace(text, one, "\0"), other, one), "\0", other) if "\0" not in text else None


def _sign(value: str) -> str:
    return _NUMBER.sub("", value)


def _flipped(text: str, _table: FactTable, language: Language, rng: random.Random) -> str | None:
    there = [pair for pair in FLIPS[language] if (pair[0] in text) != (pair[1] in text)]
    if not there:
        return None
    one, other = rng.choice(there)
    return text.replace(one, other, 1) if one in text else text.replace(other, one, 1)


def _renamed(text: str, _table: FactTable, _language: Language, rng: random.Random) -> str | None:
    return re.sub("“[^”]*”", f"“{rng.choice(('Sony Walkman', '豆浆', 'shopper 99'))}”", text, count=1)


def _number_of(key: str) -> Plant:
    """Another number for one fact."""

    def plant(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
        values = [value for one, value in _values(text, table, language) if one == key]
        return _changed(text, values[0], rng) if values else None

    return plant


def _other_code(sort: str) -> Plant:
    """Another coded value of its sort."""

    def plant(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
        if sort == "input" and table.kind in (QuestionKind.NONE, QuestionKind.SIMILAR_SHOPPERS):
            return None  # there the same words are no claim about inputs
        codes = [code for fact in table.facts for code in _codes(fact) if code.startswith(f"{sort}.")]
        said = [_WORDS[code][language] for code in codes if _WORDS.get(code, {}).get(language, "\0") in text]
        true = {_WORDS[code][language] for code in codes if code in _WORDS}
        others = sorted({words[language] for code, words in _WORDS.items() if code.startswith(f"{sort}.")} - true)
        return text.replace(rng.choice(said), rng.choice(others), 1) if said and others else None

    return plant


def _codes(fact: Fact) -> tuple[str, ...]:
    if fact.unit is Unit.WORD:
        return (str(fact.value),)
    return fact.value if fact.unit is Unit.WORDS and isinstance(fact.value, tuple) else ()


def _caused(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
    """A cause made up behind the first sentence."""
    if table.kind is QuestionKind.NONE:
        return None
    known = {code for fact in table.facts for code in _codes(fact)} | table.keys
    if known & {
        "reason.clear_stock",
        "input.inventory",
        "scenario.stock",
        "stock_now",
        "input.deadline",
        "held.no_time",
    }:
        return None
    if known & {"reason.volume", "reason.last_minute", "input.competitor_prices", "scenario.competitor", "rival_now"}:
        return None
    if known & {"reason.match_competitor", "reason.undercut_competitor"}:
        return None
    cause, end = rng.choice(CAUSES[language]), {EN: ".", ZH: "。"}[language]
    because = {EN: f", because {cause}.", ZH: f"，因为{cause}。"}[language]
    return text[: -len(end)] + because if text.endswith(end) else None


def _relisted(text: str, table: FactTable, language: Language, _rng: random.Random) -> str | None:
    """Another name in a list of names."""
    for key in ("similar_products", "floor_products", "above_shoppers"):
        fact = table.get(key)
        if fact is not None and (listed := shown(fact, language, table.currency)) in text:
            return text.replace(listed, {EN: "Sony Walkman", ZH: "豆浆"}[language])
    return None


def _reordered(text: str, table: FactTable, language: Language, _rng: random.Random) -> str | None:
    """The limits in another order."""
    fact = table.get("limits")
    if fact is None or not isinstance(fact.value, tuple):
        return None
    listed = shown(fact, language, table.currency)
    return text.replace(listed, shown(replace(fact, value=fact.value[::-1]), language, table.currency))


def _absent(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
    """Nothing is said to be there, or nothing to have moved, where the facts say otherwise."""
    false = [words[language] for keys, words in ABSENT if table.keys & keys]
    return f"{text} {rng.choice(false)}" if false and table.kind is not QuestionKind.NONE else None


def _more_data(text: str, table: FactTable, language: Language, _rng: random.Random) -> str | None:
    if table.get("inputs") is None:
        return None
    return text.replace("data used: ", "data used: age, ") if language is EN else text.replace("数据：", "数据：年龄、")


_NUMERIC = [key for key, one in definitions().items() if one.unit not in (Unit.WORD, Unit.WORDS, Unit.NAME, Unit.NAMES)]
_PLANTS: dict[str, Plant] = {
    "number": _other_number,
    "swap": _swapped,
    "direction": _flipped,
    "name": _renamed,
    "data": _more_data,
    "cause": _caused,
    "names": _relisted,
    "order": _reordered,
    "absence": _absent,
    **{f"code {sort}": _other_code(sort) for sort in CODED},
    **{f"number {key}": _number_of(key) for key in _NUMERIC if definitions()[key].unit is not Unit.DATE},
}
