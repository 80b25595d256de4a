"""Question classifier: softmax regression over kinds of questions, p = softmax(W x + b).

The features x are the encoder's state, hashed character n-grams and mentioned concepts. n-grams and
`models.questions.concepts` carry short questions.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from models.errors import RegistryError
from models.questions.concepts import CONCEPTS, concept_features

BUCKETS: Final = 4_096
GRAMS: Final = (1, 2, 3)
OTHERS: Final = BUCKETS + len(CONCEPTS)
"""Features beside the encoder's state."""
_CONCEPT_WEIGHT: Final = 2.0  # chosen by cross-validation on the training paraphrases
_NUMBER: Final = re.compile(r"\d[\d.,]*")
_CHARS: Final = 400

Floats32 = NDArray[np.float32]


def normalised(text: str) -> str:
    """Normalise a question for n-grams: lower case, NFKC, single spaces, every number as 0."""
    return _NUMBER.sub("0", " ".join(unicodedata.normalize("NFKC", text[:_CHARS]).lower().split()))


def ngram_features(texts: Sequence[str]) -> Floats32:
    """Compute square roots of hashed character n-gram counts `(n, BUCKETS)`, each row scaled to unit length."""
    found = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in enumerate(texts):
        padded = f" {normalised(text)} "
        for size in GRAMS:
            for start in range(len(padded) - size + 1):
                gram = padded[start : start + size].encode()
                found[row, zlib.crc32(gram) % BUCKETS] += 1
    found = np.sqrt(found)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), np.float32)


def question_features(texts: Sequence[str], states: Floats32) -> Floats32:
    """Compute the features x `(n, dim + OTHERS)` from texts and their encoder states `(n, dim)`."""
    mentioned = concept_features([normalised(text) for text in texts])
    return np.concatenate([states, ngram_features(texts), _CONCEPT_WEIGHT * mentioned], axis=1)


@dataclass(frozen=True, slots=True)
class QuestionHead:
    """Classifier head.

    Attributes:
        weights, bias: `(n_kinds, dim + OTHERS)` and `(n_kinds,)`.
        threshold: Least probability of the best kind; below it the head abstains.
    """

    weights: Floats32
    bias: Floats32
    kinds: tuple[str, ...]
    threshold: float

    def probabilities(self, texts: Sequence[str], states: Floats32) -> Floats32:
        """Compute probabilities of the kinds, `(n, n_kinds)`, from texts and their encoder states `(n, dim)`."""
        logits = question_features(texts, states) @ self.weights.T + self.bias
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(1, keepdims=True), np.float32)


def save_question_head(head: QuestionHead, path: Path) -> None:
    """Write the head in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"kinds": ",".join(head.kinds), "threshold": repr(head.threshold)}
    save_file({"W": head.weights.astype(np.float16), "b": head.bias.astype(np.float32)}, str(path), metadata=metadata)


def load_question_head(path: Path) -> QuestionHead:
    """Load and validate a head.

    Raises:
        RegistryError: A shape differs from what this code expects, or a value is not finite.
    """
    with safe_open(str(path), "np") as opened:
        metadata = opened.metadata() or {}
        weights, bias = opened.get_tensor("W").astype(np.float32), opened.get_tensor("b")
    kinds = tuple(metadata.get("kinds", "").split(","))
    if weights.ndim != 2 or len(weights) != len(kinds) or weights.shape[1] <= OTHERS or bias.shape != (len(kinds),):
        raise RegistryError(
            f"{path}: W has shape {weights.shape} and b {bias.shape}; expected: ({len(kinds)}, dimensions of the "
            f"encoder + {OTHERS}) and ({len(kinds)},); remedy: train it again or activate another version"
        )
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise RegistryError(f"{path}: a weight is NaN or infinite; remedy: train or activate another version")
    return QuestionHead(weights, bias, kinds, float(metadata["threshold"]))
