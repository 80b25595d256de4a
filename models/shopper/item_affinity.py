"""What a shopper's purchases say of the next: item states, learned from who buys what.

Each product has two states, `given` (what owning it says of its owner) and `wanted` (who is likely to want it), and a
few `near` products whose weight the states do not carry (close substitutes, mostly). A shopper's affinity to product i
is `log(FLOOR + sum_j (given_j . wanted_i + near_ji))` over the products j bought so far. A product never adds to its
own affinity, repeat purchase being the business of the history features. A product that was not there in training
gets its `wanted` state from its text.

Source of the item-item weights that both parts approximate: EASE (Steck 2019).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from models.encoder.encoder import DIM
from models.errors import RegistryError

FLOOR: Final = 0.02
_TENSORS: Final = ("given", "wanted", "near", "near_weight", "text_wanted", "ids")

States = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Buyer:
    """One shopper: which items were bought, `(n_items,)`, and what they say together, `(rank,)`."""

    owned: NDArray[np.bool_]
    state: States


@dataclass(frozen=True, slots=True)
class Taste:
    """Item states.

    Attributes:
        rows: Product id to row of the item arrays.
        given, wanted: `(n_items, rank)`.
        near: `(n_items, n_near)` rows of the products nearest to each; `near_weight` what each adds.
        text_wanted: `(384, rank)`, from the encoder's product state to a `wanted` state.
    """

    rows: dict[str, int]
    given: States
    wanted: States
    near: NDArray[np.int32]
    near_weight: States
    text_wanted: States

    def buyer(self, products: Iterable[str]) -> Buyer:
        """A shopper by the products bought so far."""
        owned = np.zeros(len(self.rows), bool)
        owned[[row for row in map(self.rows.get, products) if row is not None]] = True
        return Buyer(owned, np.asarray(self.given[owned].sum(axis=0), np.float32))

    def affinity(self, buyers: Sequence[Buyer], products: Sequence[str], text_states: States) -> States:
        """Log affinity `(n,)` of buyers to products, pair by pair; `text_states` are the products', `(n, 384)`."""
        rows = np.fromiter((self.rows.get(product, -1) for product in products), np.int64, len(products))
        wanted = self.wanted[rows]
        new = rows < 0
        if new.any():
            wanted[new] = text_states[new] @ self.text_wanted
        states = np.stack([buyer.state for buyer in buyers]) if buyers else np.zeros_like(wanted)
        near = np.zeros(len(rows), np.float32)
        places_of: dict[int, list[int]] = {}  # a buyer's, who is asked about many products in one batch
        for place in np.flatnonzero(~new).tolist():
            places_of.setdefault(id(buyers[place]), []).append(place)
        for places in places_of.values():
            asked = rows[places]
            near[places] = (self.near_weight[asked] * buyers[places[0]].owned[self.near[asked]]).sum(axis=1)
        return log_affinity((states * wanted).sum(axis=1) + near)


def log_affinity(total: States) -> States:
    """`log(FLOOR + total)`, sums below zero counted as zero."""
    return np.asarray(np.log(FLOOR + np.maximum(0.0, total)), np.float32)


def save_taste(taste: Taste, path: Path) -> None:
    """Write item states in half precision; ids travel as UTF-8 bytes, one a line."""
    ids = "\n".join(sorted(taste.rows, key=taste.rows.__getitem__)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: getattr(taste, name).astype(np.float16) for name in _TENSORS if name not in ("near", "ids")}
    save_file({**halves, "near": taste.near.astype(np.int32), "ids": np.frombuffer(ids, np.uint8)}, str(path))


def load_taste(path: Path) -> Taste:
    """Load strictly.

    Raises:
        RegistryError: A tensor is missing, unknown, of a shape that does not fit the others, or not finite.
    """
    with safe_open(str(path), "numpy") as handle:
        names = set(handle.keys())
    if names != set(_TENSORS):
        raise RegistryError(f"{path}: holds {sorted(names)}, expected {sorted(_TENSORS)}; remedy: train again")
    tensors = load_file(str(path))
    ids = tensors.pop("ids").tobytes().decode().split("\n")
    near = tensors.pop("near").astype(np.int32)
    given, wanted, weight, text = (
        tensors[name].astype(np.float32) for name in ("given", "wanted", "near_weight", "text_wanted")
    )
    shapes = {name: tensor.shape for name, tensor in tensors.items()} | {"near": near.shape, "ids": (len(ids),)}
    fits = given.shape == wanted.shape and len(ids) == len(given) == len(near) and near.shape == weight.shape
    if not fits or text.shape != (DIM, given.shape[1]) or not ((near >= 0) & (near < len(ids))).all():
        raise RegistryError(f"{path}: the shapes {shapes} do not fit one another; remedy: train again")
    if not all(np.isfinite(tensor).all() for tensor in (given, wanted, weight, text)):
        raise RegistryError(f"{path}: an item state is nan or infinite; remedy: train or activate another version")
    return Taste({product: row for row, product in enumerate(ids)}, given, wanted, near, weight, text)
