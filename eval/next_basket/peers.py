"""Rankers of protocol B: standard methods for comparison, and Pricesmith's."""

from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from eval.next_basket.protocol import NextBasket, decayed_counts, freeze_week, names
from models.arrays import Floats
from models.encoder.encoder import Encoder
from models.shopper.features import Subject, feature_matrix, feature_row
from models.shopper.item_affinity import Taste
from models.shopper.ranking import RankingHead
from models.shopper.texts import behaviour_text, product_text
from models.training.item_affinity import item_weights

HALF_LIFE_WEEKS: Final = 12.0
EASE_RIDGE: Final = 200.0
ALS_FACTORS: Final = 64
POOL: Final = 200  # candidates from FAISS, in addition to products bought before and the most popular ones
_POPULAR: Final = 50


def popularity(task: NextBasket) -> Floats:
    """Score by household-weeks with a purchase in the last eight weeks, the same for all households."""
    return np.tile(task.popularity, (len(task.baskets), 1))


def frequency(task: NextBasket) -> Floats:
    """Score by the household's decayed counts; products never bought are ordered by popularity."""
    return decayed_counts(task, HALF_LIFE_WEEKS) + 1e-9 * popularity(task)


def ease(task: NextBasket) -> Floats:
    """Score by EASE (Steck 2019)."""
    return (task.owned()[task.rows()] @ item_weights(task.owned(), EASE_RIDGE)).astype(np.float64)


def ease_and_frequency(task: NextBasket) -> Floats:
    """Score by EASE plus half the decayed counts."""
    return np.asarray(ease(task) + 0.5 * decayed_counts(task, HALF_LIFE_WEEKS), np.float64)


def als(task: NextBasket, *, confidence: float = 10.0, ridge: float = 1.0, rounds: int = 8) -> Floats:
    """Score by implicit-feedback alternating least squares (Hu, Koren & Volinsky 2008) with 64 factors."""
    owned = task.owned().astype(np.float64)
    rng = np.random.default_rng(17)
    items = 0.1 * rng.standard_normal((owned.shape[1], ALS_FACTORS))
    users = np.zeros((owned.shape[0], ALS_FACTORS))
    for _ in range(rounds):
        users = _als_half(owned, items, confidence, ridge)
        items = _als_half(owned.T, users, confidence, ridge)
    return np.asarray(users[task.rows()] @ items.T, np.float64)


def _als_half(owned: Floats, other: Floats, confidence: float, ridge: float) -> Floats:
    gram = other.T @ other + ridge * np.eye(other.shape[1])
    factors = np.zeros((len(owned), other.shape[1]))
    for row, purchases in enumerate(owned):
        bought = other[purchases > 0]
        if len(bought):
            factors[row] = np.linalg.solve(gram + confidence * bought.T @ bought, (1 + confidence) * bought.sum(0))
    return factors


def text_similarity(task: NextBasket, encoder: Encoder) -> Floats:
    """Score by the cosine between the encoder's states of the history's and the product's texts."""
    return np.asarray(_shopper_states(task, encoder) @ _product_states(task, encoder).T, np.float64)


def _shopper_states(task: NextBasket, encoder: Encoder) -> NDArray[np.float32]:
    title = dict(zip(task.journey.products["product_id"].astype(str), task.journey.products["title"], strict=True))
    texts = [behaviour_text(b.history, lambda p: title.get(p, ""), task.at_s) for b in task.baskets]
    return encoder.encode(texts)


def _product_states(task: NextBasket, encoder: Encoder) -> NDArray[np.float32]:
    table = task.journey.products.set_index("product_id").loc[task.products]
    return encoder.encode([product_text(r.title, r.category, r.brand) for r in table.itertuples()])


class Pricesmith:
    """Pricesmith's two-stage ranker.

    Candidates are the nearest item states (FAISS), products bought before and the most popular ones; the ranking head
    orders them.
    """

    def __init__(self, encoder: Encoder, taste: Taste, head: RankingHead) -> None:
        """Rank with the given models."""
        self._encoder = encoder
        self._taste = taste
        self._head = head

    def scores(self, task: NextBasket) -> Floats:
        """Score the candidates; all other products get minus infinity."""
        product = _product_states(task, self._encoder)
        wanted = np.stack([self._taste.wanted[self._taste.rows[name]] for name in names(task)])
        index = faiss.IndexFlatIP(wanted.shape[1])
        index.add(np.ascontiguousarray(wanted))
        table = task.journey.products.set_index("product_id").loc[task.products]
        facts = task.weeks.facts(freeze_week(task))
        popular = np.argsort(-task.popularity, kind="stable")[:_POPULAR]
        scores = np.full((len(task.baskets), len(task.products)), -np.inf)
        categories, brands = table["category"].tolist(), table["brand"].tolist()
        for row, basket in enumerate(task.baskets):
            buyer = self._taste.buyer(basket.history.products)
            near = index.search(buyer.state[None], POOL)[1][0]
            pool = np.unique(np.concatenate([near, popular, np.flatnonzero(basket.bought)]))
            pooled = [names(task)[column] for column in pool]
            subjects = [
                Subject(str(task.products[p]), categories[p], brands[p], float(facts.reference[task.weeks.rows[name]]))
                for p, name in zip(pool, pooled, strict=True)
            ]
            features = feature_matrix([feature_row(basket.history, s, task.weeks, task.at_s) for s in subjects])
            affinity = self._taste.affinity([buyer] * len(pool), pooled, product[pool])
            scores[row, pool] = self._head.scores(features, affinity)
        return scores
