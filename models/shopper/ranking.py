"""Ranking of the products that a shopper buys next, from purchase history, item affinity and popularity.

    product bought before:  a1 * affinity + b1 * popularity + C1(category history) + R(product history)
    other product:          a0 * affinity + b0 * popularity + C0(category history)

`R` and `C` are small networks over `features.PAIR_FEATURES`; for affinity see `item_affinity.py`. Scores rank the
products of one shopper at one moment: they are logits of a softmax over candidates, not purchase probabilities.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.arrays import Floats
from models.errors import RegistryError
from models.evaluator.monotone import sigmoid
from models.shopper.features import FEATURES, PAIR_FEATURES

PAIR: Final = len(PAIR_FEATURES)
POPULARITY: Final = FEATURES.index("popularity")
_NETWORKS: Final = {"product": 1, "category": 2}  # name: number of outputs
_LAYERS: Final = 3


@dataclass(frozen=True, slots=True)
class RankingHead:
    """Ranking head.

    Attributes:
        affinity, popularity: Coefficients for new and for previously bought products, `(2,)`.
        product, category: Networks R and C as (matrix, bias) layers.
    """

    affinity: Floats
    popularity: Floats
    product: tuple[tuple[Floats, Floats], ...]
    category: tuple[tuple[Floats, Floats], ...]

    def scores(self, features: NDArray[np.float32], affinity: NDArray[np.float32]) -> Floats:
        """Compute scores `(n,)` from feature rows `(n, len(FEATURES))` and log affinities `(n,)`."""
        product, category = features[:, :PAIR], features[:, PAIR : 2 * PAIR]
        owned = (product[:, 0] > 0).astype(int)
        rows = np.arange(len(features))
        bought_category = category[:, 0] > 0
        found = self.affinity[owned] * affinity + self.popularity[owned] * features[:, POPULARITY]
        found = found + np.where(bought_category, _run(self.category, category)[rows, owned], 0.0)
        return np.asarray(found + np.where(owned > 0, _run(self.product, product)[:, 0], 0.0), np.float64)


def _run(layers: tuple[tuple[Floats, Floats], ...], rows: NDArray[np.float32]) -> Floats:
    hidden = rows.astype(np.float64)
    for place, (matrix, bias) in enumerate(layers):
        hidden = hidden @ matrix + bias
        if place < len(layers) - 1:
            hidden = hidden * sigmoid(hidden)
    return hidden


def save_ranking(head: RankingHead, path: Path) -> None:
    """Write coefficients and layers."""
    tensors = {"affinity": head.affinity.astype(np.float32), "popularity": head.popularity.astype(np.float32)}
    for name in _NETWORKS:
        for place, (matrix, bias) in enumerate(getattr(head, name)):
            tensors[f"{name}.{place}.matrix"] = np.ascontiguousarray(matrix, np.float32)
            tensors[f"{name}.{place}.bias"] = np.ascontiguousarray(bias, np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path))


def load_ranking(path: Path) -> RankingHead:
    """Load and validate a head.

    Raises:
        RegistryError: A tensor is missing, unknown, not finite, or of another shape than this code expects.
    """
    tensors = {name: value.astype(np.float64) for name, value in load_file(str(path)).items()}
    names = {f"{net}.{place}.{part}" for net in _NETWORKS for place in range(_LAYERS) for part in ("matrix", "bias")}
    if set(tensors) != names | {"affinity", "popularity"}:
        raise RegistryError(
            f"{path}: tensors are {sorted(tensors)}; expected: {sorted(names)}, affinity and popularity; "
            "remedy: train the encoder again or activate another version"
        )
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise RegistryError(f"{path}: a weight is NaN or infinite; remedy: train or activate another version")
    nets = {
        net: tuple((tensors[f"{net}.{p}.matrix"], tensors[f"{net}.{p}.bias"]) for p in range(_LAYERS))
        for net in _NETWORKS
    }
    for net, outputs in _NETWORKS.items():
        if nets[net][0][0].shape[0] != PAIR or nets[net][-1][0].shape[1] != outputs:
            raise RegistryError(
                f"{path}: network {net!r} maps {nets[net][0][0].shape[0]} features to {nets[net][-1][0].shape[1]} "
                f"values; expected: {PAIR} to {outputs}; remedy: train the encoder again or activate another version"
            )
    return RankingHead(tensors["affinity"], tensors["popularity"], nets["product"], nets["category"])
