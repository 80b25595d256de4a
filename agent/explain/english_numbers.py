"""English number words, coins and fractions in questions, as digits: "a dollar fifteen" is 1.15 dollars."""

import re
from typing import Final

_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES: Final = {word: value for value, word in enumerate(_SMALL.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), start=2)
}
_WORD: Final = "|".join(sorted(_VALUES, key=len, reverse=True))
_COUNTED: Final = (
    r"dollars?|bucks?|euros?|pounds?|yuan|cents?|percent|per cent|units?|pieces?|items?|left|days?|weeks?|months?"
)
_NUMERAL: Final = re.compile(
    rf"\b((?:{_WORD})(?:[- ](?:{_WORD}))?)( hundred| thousand)?(?=\s(?:{_COUNTED})\b)", re.IGNORECASE
)
_ARTICLE: Final = re.compile(r"\ban? (?=(?:dollar|buck|euro|pound)\b)", re.IGNORECASE)
_HYPHENED: Final = re.compile(rf"\b(\d+|{_WORD})-({_COUNTED})\b", re.IGNORECASE)
_HUNDRED: Final = re.compile(r"\ba (hundred|thousand)\b", re.IGNORECASE)
_COINS: Final = (
    (re.compile(r"\ba dime\b", re.IGNORECASE), "10 cents"),
    (re.compile(r"\ba nickel\b", re.IGNORECASE), "5 cents"),
)
_AND_CENTS: Final = re.compile(
    rf"\b(\d+) (dollars?|bucks?|euros?|pounds?)(?: and)? (\d{{1,2}}|(?:{_WORD})(?:[- ](?:{_WORD}))?)(?: cents?)?\b"
    r"(?! (?:percent|per cent|%))",
    re.IGNORECASE,
)
_FRACTIONS: Final = {"half": 50.0, "third": 100 / 3, "quarter": 25.0, "fifth": 20.0, "tenth": 10.0}
_SHARE: Final = re.compile(
    rf"\b(?:an?|one|by an?|by one) ({'|'.join(_FRACTIONS)})(?= (?:off|lower|cheaper|less|below|under|down|higher|more"
    r"|above|up|dearer))|(?<=by )(?:an?|one) (" + "|".join(_FRACTIONS) + r")\b",
    re.IGNORECASE,
)


def in_digits(text: str) -> str:
    """The text with number words before a unit, coins and fractions of a change written in digits."""
    text = _HYPHENED.sub(r"\1 \2", text)
    for pattern, told in _COINS:
        text = pattern.sub(told, text)
    text = _HUNDRED.sub(lambda match: "100" if match[1].lower() == "hundred" else "1000", text)
    text = _SHARE.sub(lambda match: f"{_FRACTIONS[(match[1] or match[2]).lower()]:g} percent", text)
    text = _NUMERAL.sub(lambda match: str(_value(match[1], match[2] or "")), _ARTICLE.sub("1 ", text))
    return _AND_CENTS.sub(_with_cents, text)


def _with_cents(match: re.Match[str]) -> str:
    cents = int(match[3]) if match[3].isdigit() else _value(match[3], "")
    return f"{match[1]}.{cents:02d} {match[2]}"


def _value(words: str, scale: str) -> int:
    value = sum(_VALUES[word] for word in re.split(r"[- ]", words.lower()))
    return value * {"": 1, "hundred": 100, "thousand": 1_000}[scale.strip().lower()]
