"""Texts in simulations: a peer that is told what the encoder reads, and models that do not read product texts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from eval.policy.policies import Policy
from eval.simulators import Visit, World
from models.encoder.encoder import OpenVinoEncoder
from models.evaluator.text_effects import PREFIX, TextProjection, text_names
from models.registry.registry import ModelKind, Registry, parse_meta

_WITHOUT = "without-text"
_EVALUATOR = "evaluator.safetensors"


class ToldTexts:
    """A peer whose visits carry the principal directions of the shop's product texts as numbers."""

    def __init__(self, peer: Policy, world: World, models: Path) -> None:
        """Encode the titles of the catalogue with the active encoder."""
        self._peer = peer
        registry = Registry(models)
        version = registry.active(ModelKind.ENCODER)
        encoder = OpenVinoEncoder(registry.folder(ModelKind.ENCODER, version), version, 1)
        catalogue = world.catalogue()
        states = encoder.encode([product.title for product in catalogue])
        projection = TextProjection.of_products(states)
        values = np.zeros((len(catalogue), 0)) if projection is None else projection.of(states).values
        self._told: Mapping[str, dict[str, float]] = {
            product.product_id: dict(zip(text_names(len(row)), row.tolist(), strict=True))
            for product, row in zip(catalogue, values, strict=True)
        }

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose the peer's prices."""
        return self._peer.prices(self._with_texts(visits))

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Pass the outcomes on to the peer."""
        self._peer.learn(self._with_texts(visits), ratios, bought)

    def close(self) -> None:
        """Close the peer."""
        self._peer.close()

    def _with_texts(self, visits: Sequence[Visit]) -> list[Visit]:
        return [replace(visit, traits={**visit.traits, **self._told[visit.product]}) for visit in visits]


def without_texts(models: Path, folder: Path) -> Path:
    """Copy a registry to `folder`, with an evaluator that has no effects of product texts; other kinds are linked."""
    active, own = Registry(models), Registry(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for kind, version in active.in_use().items():
        if kind is not ModelKind.EVALUATOR and not (folder / kind).exists():
            (folder / kind).symlink_to((models / kind).resolve())
            own.activate(kind, version)
    found = active.active_folder(ModelKind.EVALUATOR)
    meta = parse_meta(found)

    def write(to: Path) -> None:
        tensors = load_file(found / _EVALUATOR)
        save_file({name: value for name, value in tensors.items() if not name.startswith(PREFIX)}, to / _EVALUATOR)

    own.install(meta.model_copy(update={"version": f"{meta.version}-{_WITHOUT}"}), write)
    own.activate(ModelKind.EVALUATOR, f"{meta.version}-{_WITHOUT}")
    return folder
