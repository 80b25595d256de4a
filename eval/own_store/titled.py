"""Shops whose titles alone tell one kind of product from another, in English and in Chinese.

Level and slope of demand belong to twelve kinds of twenty products each, and vary a little within a kind. No category
is told. Five products of each kind are sold for the first time after the training, and half of the later offers are of
those: what is known of them is their title.
"""

from typing import Final

import numpy as np

from eval.own_store.shops import GeneratedOffers, Rng, Shop, common, offers_of
from eval.simulators.titles import KINDS, LANGUAGES, titles

_SOLD_LATER: Final = 5


def titled(language: str) -> Shop:
    """A shop with titles in one language; its demand does not depend on the language."""
    texts, kinds = titles(language)

    def shop(rng: Rng, n: int, known: float) -> GeneratedOffers:
        c = common(rng, n, known)
        kind, count = np.asarray(kinds), len(texts)
        level = rng.normal(-1.5, 1.0, len(KINDS))[kind] + rng.normal(0, 0.3, count)
        slope = np.exp(rng.normal(0.8, 0.45, len(KINDS)))[kind] + rng.normal(0, 0.25, count)
        new = np.zeros(count, bool)
        for place in range(len(KINDS)):
            new[rng.choice(np.flatnonzero(kind == place), _SOLD_LATER, replace=False)] = True
        later = c.later & (rng.random(n) < 0.5)
        product = np.where(later, rng.choice(np.flatnonzero(new), n), rng.choice(np.flatnonzero(~new), n))
        words = {"product": np.char.add("p", product.astype(str))}
        steep = np.maximum(0.4, slope)[product]
        described = {"titles": tuple(texts), "product": product, "new": new[product]}
        return offers_of(c, c.grid, words, lambda x: level[product] - steep * x, rng, **described)

    return shop


TITLED: Final[dict[str, Shop]] = {f"titles, {language}": titled(language) for language in LANGUAGES}
