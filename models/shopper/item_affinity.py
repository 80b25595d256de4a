"""Item-item affinity: a shopper's affinity to a product, given the products bought so far.

A low-rank plus sparse approximation of EASE weights (Steck 2019). Each product j has two factor vectors, `given_j` (as
a product already bought) and `wanted_j` (as a candidate), and a few `near` products whose weights the low-rank part
misses (mostly close substitutes). The affinity to product i is `log(FLOOR + sum_j (given_j . wanted_i + near_ji))` over
the products j bought so far. A product does not contribute to its own affinity; history features cover repeat
purchases. The `wanted` vector of a product unseen in training is predicted from its text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from models.errors import RegistryError

FLOOR: Final = 0.02
_TENSORS: Final = ("given", "wanted", "near", "near_weight", "text_wanted", "ids")

States = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Buyer:
    """One shopper: flags of the items bought, `(n_items,)`, and the sum of their `given` factors, `(rank,)`."""

    owned: NDArray[np.bool_]
    state: States


@dataclass(frozen=True, slots=True)
class Taste:
    """Item factors.

    Attributes:
        rows: Product id to row of the item arrays.
        given, wanted: Factors of bought and of candidate products, `(n_items, rank)`.
        near: Rows of the products with sparse weights, `(n_items, n_near)`; `near_weight` are the weights.
        text_wanted: `(dim, rank)`, linear map from the encoder's product state to a `wanted` vector.
    """

    rows: dict[str, int]
    given: States
    wanted: States
    near: NDArray[np.int32]
    near_weight: States
    text_wanted: States

    def buyer(self, products: Iterable[str]) -> Buyer:
        """Represent a shopper by the products bought so far; unknown products are ignored."""
        owned = np.zeros(len(self.rows), bool)
        owned[[row for row in map(self.rows.get, products) if row is not None]] = True
        return Buyer(owned, np.asarray(self.given[owned].sum(axis=0), np.float32))

    def affinity(self, buyers: Sequence[Buyer], products: Sequence[str], text_states: States) -> States:
        """Compute log affinities `(n,)` of buyers to products, pair by pair.

        `text_states` `(n, dim)` are the products' encoder states, used for products unseen in training.
        """
        distinct = {id(buyer): buyer for buyer in buyers}
        places = {key: place for place, key in enumerate(distinct)}
        buyer_of = np.asarray([places[id(buyer)] for buyer in buyers], np.intp)
        return self.affinities(list(distinct.values()), products, text_states, (buyer_of, np.arange(len(buyers))))

    def affinities(
        self,
        buyers: Sequence[Buyer],
        products: Sequence[str],
        text_states: States,
        pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> States:
        """Compute as `affinity` for pairs of distinct buyers and products: `pairs` are the places of both, `(n,)`."""
        buyer_of, product_of = pairs
        rows = np.fromiter((self.rows.get(product, -1) for product in products), np.int64, len(products))
        wanted = self.wanted[rows]
        new = rows < 0
        if new.any():
            wanted[new] = text_states[new] @ self.text_wanted
        states = np.stack([buyer.state for buyer in buyers]) if buyers else np.zeros_like(wanted)
        near = np.zeros(len(product_of), np.float32)
        known = np.flatnonzero(~new[product_of])
        by_buyer = known[np.argsort(buyer_of[known], kind="stable")]  # a batch usually has many products of one buyer
        ends = np.flatnonzero(np.diff(buyer_of[by_buyer], append=-1)) + 1
        for some in np.split(by_buyer, ends[:-1]) if len(ends) else ():
            items = rows[product_of[some]]
            near[some] = (self.near_weight[items] * buyers[buyer_of[some[0]]].owned[self.near[items]]).sum(axis=1)
        return log_affinity((states[buyer_of] * wanted[product_of]).sum(axis=1) + near)


def log_affinity(total: States) -> States:
    """Compute `log(FLOOR + max(0, total))`."""
    return np.asarray(np.log(FLOOR + np.maximum(0.0, total)), np.float32)


def save_taste(taste: Taste, path: Path) -> None:
    """Write item factors in half precision; ids are stored as UTF-8 bytes, one per line."""
    ids = "\n".join(sorted(taste.rows, key=taste.rows.__getitem__)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: getattr(taste, name).astype(np.float16) for name in _TENSORS if name not in ("near", "ids")}
    save_file({**halves, "near": taste.near.astype(np.int32), "ids": np.frombuffer(ids, np.uint8)}, str(path))


def load_taste(path: Path) -> Taste:
    """Load and validate item factors.

    Raises:
        RegistryError: A tensor is missing, unknown, not finite, or of a shape inconsistent with the others.
    """
    with safe_open(str(path), "numpy") as handle:
        names = set(handle.keys())
    if names != set(_TENSORS):
        raise RegistryError(
            f"{path}: tensors are {sorted(names)}; expected: {sorted(_TENSORS)}; remedy: train the encoder again"
        )
    tensors = load_file(str(path))
    ids = tensors.pop("ids").tobytes().decode().split("\n")
    near = tensors.pop("near").astype(np.int32)
    given, wanted, weight, text = (
        tensors[name].astype(np.float32) for name in ("given", "wanted", "near_weight", "text_wanted")
    )
    shapes = {name: tensor.shape for name, tensor in tensors.items()} | {"near": near.shape, "ids": (len(ids),)}
    fits = given.shape == wanted.shape and len(ids) == len(given) == len(near) and near.shape == weight.shape
    if not fits or text.shape[1:] != (given.shape[1],) or not ((near >= 0) & (near < len(ids))).all():
        raise RegistryError(f"{path}: tensor shapes {shapes} are inconsistent; remedy: train the encoder again")
    if not all(np.isfinite(tensor).all() for tensor in (given, wanted, weight, text)):
        raise RegistryError(f"{path}: an item factor is NaN or infinite; remedy: train or activate another version")
    return Taste({product: row for row, product in enumerate(ids)}, given, wanted, near, weight, text)
