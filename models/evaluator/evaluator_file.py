"""Files of evaluators: means and covariances as safetensors, checked when they are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.arrays import Floats
from models.errors import RegistryError
from models.evaluator.binning import Binning
from models.evaluator.boosted_trees import BoostedTrees
from models.evaluator.context_priors import CONTEXT
from models.evaluator.evaluator import NUMERIC, RANK, Evaluator, EvaluatorWeights
from models.evaluator.monotone import MonotoneHead
from models.evaluator.promotion import STATES
from models.evaluator.satisfaction import Satisfaction
from models.evaluator.text_effects import TextProjection
from models.evaluator.trained_effects import TrainedEffects
from models.evaluator.tried_prices import TriedPrices

_VECTORS: Final = ("shopper_projection", "product_projection", "linear", "key_projection")
_UNREAD: Final = "behaviour_unread"
_BINNING: Final = ("low", "steep", "mean", "scale")


def save_evaluator(weights: EvaluatorWeights, covariances: Sequence[Floats], path: Path) -> None:
    """Write means and covariances (purchase, satisfaction); draws are sampled again on loading."""
    tensors: dict[str, NDArray[np.float32]] = {
        name: np.ascontiguousarray(getattr(weights, name), np.float32) for name in _VECTORS
    }
    tensors |= {f"binning.{name}": getattr(weights.binning, name) for name in _BINNING}
    for index, (matrix, bias) in enumerate(weights.hidden):
        tensors[f"hidden.{index}.matrix"] = np.ascontiguousarray(matrix, np.float32)
        tensors[f"hidden.{index}.bias"] = np.ascontiguousarray(bias, np.float32)
    for name, head, covariance in zip(
        ("purchase", "satisfaction"), (weights.purchase, weights.satisfaction), covariances, strict=True
    ):
        tensors[f"{name}.mean"] = np.ascontiguousarray(head.mean, np.float32)
        tensors[f"{name}.covariance"] = np.ascontiguousarray(covariance, np.float32)
    tensors["base_rate"] = np.asarray([weights.base_rate], np.float32)
    if weights.purchase.ramps is not None:
        tensors["purchase.ramps"] = np.ascontiguousarray(weights.purchase.ramps, np.float32)
    for name in ("center", "doubt"):
        if getattr(weights, name):
            tensors[name] = np.asarray([getattr(weights, name)], np.float32)
    if not weights.behaviour:
        tensors[_UNREAD] = np.ones(1, np.float32)
    if weights.promotion is not None:
        tensors["promotion"] = np.ascontiguousarray(weights.promotion, np.float32)
    for name in CONTEXT:
        if getattr(weights, name) is not None:
            tensors[name] = np.asarray([getattr(weights, name)], np.float32)
    for part in (weights.effects, weights.tried, weights.text, weights.satisfied, weights.trees):
        if part is not None:
            tensors |= part.to_tensors()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path))


def load_evaluator(path: Path, version: str) -> Evaluator:
    """Load and validate weights.

    Raises:
        RegistryError: A tensor is missing, not finite, or has another shape than this code expects.
    """
    tensors = {name: np.asarray(value, np.float64) for name, value in load_file(str(path)).items()}
    layers = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("hidden.")})
    try:
        if any(not np.isfinite(value).all() for value in tensors.values()):
            raise RegistryError(f"{path}: a tensor contains NaN or infinity; remedy: train or activate another version")
        weights = EvaluatorWeights(
            **{name: tensors[name] for name in _VECTORS},
            binning=Binning(*(tensors[f"binning.{name}"].astype(np.float32) for name in _BINNING)),
            hidden=tuple((tensors[f"hidden.{i}.matrix"], tensors[f"hidden.{i}.bias"]) for i in layers),
            purchase=MonotoneHead.from_posterior(
                tensors["purchase.mean"], tensors["purchase.covariance"], tensors.get("purchase.ramps")
            ),
            satisfaction=MonotoneHead.from_posterior(tensors["satisfaction.mean"], tensors["satisfaction.covariance"]),
            base_rate=float(tensors["base_rate"][0]),
            promotion=tensors.get("promotion"),
            intent=_number(tensors, "intent"),
            rival=_number(tensors, "rival"),
            trend=_number(tensors, "trend"),
            effects=TrainedEffects.from_tensors(tensors),
            tried=TriedPrices.from_tensors(tensors),
            center=float(tensors["center"][0]) if "center" in tensors else 0.0,
            doubt=float(tensors["doubt"][0]) if "doubt" in tensors else 0.0,
            text=TextProjection.from_tensors(tensors),
            satisfied=Satisfaction.from_tensors(tensors),
            behaviour=_UNREAD not in tensors,
            trees=BoostedTrees.from_tensors(tensors),
        )
    except KeyError as error:
        raise RegistryError(
            f"{path}: tensor {error} is missing; remedy: train again or activate another version"
        ) from None
    _check(weights, path)
    return Evaluator(weights, version)


def _check(weights: EvaluatorWeights, path: Path) -> None:
    """Raise a RegistryError where shapes are not those that this code expects."""
    width = weights.binning.width + 2 * RANK + 1
    read = width if weights.trees is not None else weights.hidden[0][0].shape[0] if weights.hidden else 0
    if len(weights.binning.low) != NUMERIC or read != width or len(weights.linear) != width:
        raise RegistryError(
            f"{path}: trained with {len(weights.binning.low)} numeric inputs; this code has {NUMERIC}; "
            "remedy: train the evaluator again"
        )
    hidden = weights.hidden[-1][0].shape[1] if weights.hidden else 1
    if weights.promotion is not None and weights.promotion.shape != (hidden + 2, len(STATES)):
        raise RegistryError(
            f"{path}: promotion effects have shape {weights.promotion.shape}; this code has "
            f"{(hidden + 2, len(STATES))}; remedy: train the evaluator again"
        )
    trees = weights.trees
    if trees is not None and not (trees.fits(NUMERIC) and weights.purchase.mean.shape[1] == 3):
        raise RegistryError(f"{path}: its trees do not fit this code's inputs; remedy: train the evaluator again")


def _number(tensors: Mapping[str, Floats], name: str) -> float | None:
    return float(tensors[name][0]) if name in tensors else None
