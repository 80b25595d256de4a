"""Wrong facts planted into true texts, each of them a lie that a reader could believe."""

import random
import re
from collections.abc import Callable, Iterator

from agent.explain.facts import FactTable
from agent.explain.questions import Language
from agent.explain.wording import shown

EN, ZH = Language.EN, Language.ZH
FLIPS = {
    EN: (("below", "above"), ("lower by", "higher by"), ("down by", "up by"), ("less than the", "more than the")),
    ZH: (("低", "高"), ("降低", "提高"), ("下降", "上升")),
}
REASONS = {
    EN: (
        "a lower price is expected to win more purchases",
        "it rewards a shopper who buys here regularly",
        "stock is deep against expected sales",
        "it meets the cheapest competitor",
        "several units are asked for",
    ),
    ZH: ("预计降价能带来更多购买", "回馈经常在此购买的顾客", "库存相对预期销量偏多", "与最低的竞争对手价格持平"),
}
RULES = {
    EN: ("the largest change allowed", "the price ceiling", "the price floor", "the minimum advertised price"),
    ZH: ("最大变动幅度", "最高限价", "最低广告价"),
}
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def planted(text: str, table: FactTable, language: Language, seed: int) -> Iterator[tuple[str, str]]:
    """Names of lies and the text with each of them."""
    rng = random.Random(seed)  # noqa: S311 - test data
    for name, plant in _PLANTS.items():
        lie = plant(text, table, language, rng)
        if lie is not None and lie != text:
            yield name, lie


def _values(text: str, table: FactTable, language: Language) -> list[tuple[str, str]]:
    """Key and shown value of numeric facts that the text says."""
    numeric = [fact for fact in table.facts if not isinstance(fact.value, str | tuple)]
    said = [(fact.key, shown(fact, language, table.currency)) for fact in numeric]
    return [(key, value) for key, value in said if re.search(rf"(?<![\d.,]){re.escape(value)}(?!\d)", text)]


def _replace(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![\d.,]){re.escape(old)}(?!\d)", lambda _: new, text, count=1)


def _other_number(text: str, table: FactTable, language: Language, rng: random.Random) -> str | None:
    values = _values(text, table, language)
    if not values:
        return None
    _, value = rng.choice(values)
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


def _other_words(options: tuple[str, ...]) -> Callable[[str, random.Random], str | None]:
    def plant(text: str, rng: random.Random) -> str | None:
        said = next((option for option in options if option in text), None)
        return None if said is None else text.replace(said, rng.choice([o for o in options if o != said]), 1)

    return plant


def _other_reason(text: str, _table: FactTable, language: Language, rng: random.Random) -> str | None:
    return _other_words(REASONS[language])(text, rng)


def _other_rule(text: str, _table: FactTable, language: Language, rng: random.Random) -> str | None:
    return _other_words(RULES[language])(text, rng)


def _more_data(text: str, table: FactTable, language: Language, _rng: random.Random) -> str | None:
    if table.get("inputs") is None:
        return None
    return text.replace("data used: ", "data used: age, ") if language is EN else text.replace("数据：", "数据：年龄、")


_PLANTS = {
    "number": _other_number,
    "swap": _swapped,
    "direction": _flipped,
    "name": _renamed,
    "reason": _other_reason,
    "rule": _other_rule,
    "data": _more_data,
}
