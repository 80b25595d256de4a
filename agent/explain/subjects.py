"""Subject of a question about many quotes: the words that must name a product or a category."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import yaml

from agent.domain.records import ProductRecord
from agent.explain.facts import DATA

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001 - a typographic apostrophe
_HAN: Final = re.compile(r"[一-鿿]+")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*[A-Za-z0-9]")
_ENDING: Final = re.compile(r"(?<=\w{3})(?:ies|ing|ed|es|s|ly|y|e)$")
_CLOSE: Final = 0.85  # likeness of a misspelt word to one of a title
_LONG_ENOUGH: Final = 5
_NEAR: Final = 3


class Catalogue(Protocol):
    """Products that a question may name."""

    def product(self, product_id: str) -> ProductRecord | None:
        """A product by id; None when unknown."""
        ...

    def products(self) -> Sequence[ProductRecord]:
        """All products."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Subject of a question: `products` whose titles hold all `words`; `near` ones hold some of them."""

    words: str = ""
    products: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    category: str | None = None


def find_subject(text: str, catalogue: Catalogue, categories: Iterable[str]) -> Subject:
    """Find the product or category that a question names, by id or by words that are not of questions in general."""
    plain = unicodedata.normalize("NFKC", text)
    for token in _ID.findall(plain):
        if any(char.isdigit() for char in token) and catalogue.product(token) is not None:
            return Subject(token, (token,))
    words, runs = unknown_words(plain), unknown_han(plain)
    if not words and not runs:
        return Subject()
    told = " ".join((*words, *runs))
    category = _category(words, runs, categories)
    titles = catalogue.products()
    found = _named(words, runs, titles)
    if not found and words and not category:
        words = _respelt(words, titles)
        found = _named(words, runs, titles)
    if category is not None and (len(found) != 1 or _is_all_of(category, words, runs)):
        return Subject(told, category=category)
    near = () if found else tuple(_nearest(words, runs, titles))
    return Subject(told, tuple(found), near, None)


def unknown_words(text: str, *, about_scores: bool = False) -> list[str]:
    """Words of a text in Latin letters that are not of questions in general, nor of scores where asked so, in order."""
    known = _stems(("grammar", "trade", "scores") if about_scores else ("grammar", "trade"))
    return [
        word
        for word in _WORD.findall(text.lower())
        if not _HAN.search(word) and stem(word) not in known and len(word) > 1
    ]


def unknown_han(text: str, *, about_scores: bool = False) -> list[str]:
    """Runs of Chinese characters left when the words of questions in general are taken out.

    A single character counts where it is said to sell: by itself it is mostly grammar.
    """
    rest = text
    for phrase in _phrases(3 if about_scores else 2):
        rest = rest.replace(phrase, " ")
    return [run for run in _HAN.findall(rest) if len(run) >= 2 or f"{run}卖" in text]


def stem(word: str) -> str:
    """A word without its ending: bananas and banana are one."""
    bare = word.removesuffix("'s").removesuffix("\u2019s").replace("\u2019", "'")
    return _ENDING.sub("", bare)


def named_product(text: str, titles: Iterable[ProductRecord]) -> list[str]:
    """Ids of the products of the longest title whose head, of two words or more, stands in a text."""
    asked = unicodedata.normalize("NFKC", text).lower()
    words = set(_WORD.findall(asked))
    plain = f" {' '.join(stem(word) for word in _WORD.findall(asked))} "
    best = 0
    found: list[str] = []
    starts = tuple({stem(word)[:3] for word in words})
    for product in titles:
        if not product.title.lower().startswith(starts):
            continue
        head = [stem(word) for word in _WORD.findall(re.split(r"[,，(]", product.title, maxsplit=1)[0].lower())]
        if len(head) < 2 or len(head) < best or f" {' '.join(head)} " not in plain:
            continue
        found = [*found, product.product_id] if len(head) == best else [product.product_id]
        best = len(head)
    return found


def _named(words: Sequence[str], runs: Sequence[str], titles: Iterable[ProductRecord]) -> list[str]:
    stems = [stem(word) for word in words]
    found = []
    for product in titles:
        title = unicodedata.normalize("NFKC", f"{product.title} {product.brand}").lower()
        if all(one in title for one in stems) and _covers(runs, title) and set(stems) <= _title_stems(title):
            found.append(product.product_id)
    return found


def _title_stems(title: str) -> set[str]:
    return {stem(word) for word in _WORD.findall(title)}


def _covers(runs: Sequence[str], title: str) -> bool:
    """Whether every run is made of parts of the title of at least two characters, or is one character of it."""
    for run in runs:
        start, least = 0, min(2, len(run))
        while start < len(run):
            sizes = range(len(run) - start, least - 1, -1)
            size = next((size for size in sizes if run[start : start + size] in title), 0)
            if not size:
                return False
            start += size
    return True


def _respelt(words: Sequence[str], titles: Iterable[ProductRecord]) -> list[str]:
    """Long words that no title has, as the closest word that one has."""
    known = {word for product in titles for word in _WORD.findall(product.title.lower()) if len(word) >= _LONG_ENOUGH}
    respelt = []
    for word in words:
        close = [] if word in known or len(word) < _LONG_ENOUGH else difflib.get_close_matches(word, known, 1, _CLOSE)
        respelt.append(close[0] if close else word)
    return respelt


def _nearest(words: Sequence[str], runs: Sequence[str], titles: Iterable[ProductRecord]) -> list[str]:
    """Titles that have at least one of the words."""
    found: list[str] = []
    stems = {stem(word) for word in words}
    for product in titles:
        title = unicodedata.normalize("NFKC", product.title)
        if product.title not in found and (stems & _title_stems(title.lower()) or any(run in title for run in runs)):
            found.append(product.title)
            if len(found) == _NEAR:
                break
    return found


def _category(words: Sequence[str], runs: Sequence[str], categories: Iterable[str]) -> str | None:
    """The category whose name has all the words."""
    stems = {stem(word) for word in words}
    fitting = [
        name
        for name in categories
        if name
        and stems <= (whole := {stem(word) for word in _WORD.findall(name.lower())})
        and all(run in name for run in runs)
        and (stems or runs)
        and (runs or len(stems) * 2 >= len(whole))
    ]
    return min(fitting, key=len, default=None)


def _is_all_of(category: str, words: Sequence[str], runs: Sequence[str]) -> bool:
    """Whether the words are the whole name of a category."""
    return category in runs or {stem(one) for one in words} == {stem(one) for one in _WORD.findall(category.lower())}


@cache
def _vocabulary() -> dict[str, object]:
    loaded = yaml.safe_load((DATA / "vocabulary.yaml").read_text("utf-8"))
    assert isinstance(loaded, dict)  # noqa: S101 - a file of this package
    return loaded


@cache
def _stems(sections: tuple[str, ...]) -> frozenset[str]:
    parts = _vocabulary()["en"]
    assert isinstance(parts, dict)  # noqa: S101 - a file of this package
    return frozenset(stem(word) for name in sections for word in parts[name].split())


@cache
def _phrases(parts_used: int) -> tuple[str, ...]:
    """Chinese words, longest first, so that none is taken out of the middle of another."""
    parts = _vocabulary()["zh"]
    assert isinstance(parts, list)  # noqa: S101 - a file of this package
    return tuple(sorted({word for part in parts[:parts_used] for word in part}, key=len, reverse=True))
