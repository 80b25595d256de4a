"""The question head: the encoder's state, hashed character n-grams and concepts, one softmax over kinds of questions.

MiniLM knows little Chinese; n-grams and `models.questions.concepts` carry what it does not. p = softmax(W x + b).
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

from models.encoder.encoder import DIM
from models.errors import RegistryError
from models.questions.concepts import CONCEPTS, concepts

BUCKETS: Final = 4_096
GRAMS: Final = (1, 2, 3)
WIDTH: Final = DIM + BUCKETS + len(CONCEPTS)
_CONCEPT_WEIGHT: Final = 2.0  # by cross-validation on the training paraphrases
_NUMBER: Final = re.compile(r"\d[\d.,]*")
_CHARS: Final = 400

Floats32 = NDArray[np.float32]


def plain(text: str) -> str:
    """A question as the n-grams read it: one case, one width, every number the same."""
    return _NUMBER.sub("0", " ".join(unicodedata.normalize("NFKC", text[:_CHARS]).lower().split()))


def grams(texts: Sequence[str]) -> Floats32:
    """Hashed n-gram counts `(n, BUCKETS)`, square-rooted, each row of length one."""
    found = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in enumerate(texts):
        padded = f" {plain(text)} "
        for size in GRAMS:
            for start in range(len(padded) - size + 1):
                gram = padded[start : start + size].encode()
                found[row, zlib.crc32(gram) % BUCKETS] += 1
    found = np.sqrt(found)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), np.float32)


def question_features(texts: Sequence[str], states: Floats32) -> Floats32:
    """`x` `(n, WIDTH)` from texts and their encoder states `(n, DIM)`."""
    told = concepts([plain(text) for text in texts])
    return np.concatenate([states, grams(texts), _CONCEPT_WEIGHT * told], axis=1)


@dataclass(frozen=True, slots=True)
class QuestionHead:
    """`W` `(n_kinds, WIDTH)`, `b`; a question whose best kind is below `threshold` is none of them."""

    weights: Floats32
    bias: Floats32
    kinds: tuple[str, ...]
    threshold: float

    def probabilities(self, texts: Sequence[str], states: Floats32) -> Floats32:
        """Probabilities `(n, n_kinds)`."""
        logits = question_features(texts, states) @ self.weights.T + self.bias
        grown = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(grown / grown.sum(1, keepdims=True), np.float32)


def save_question_head(head: QuestionHead, path: Path) -> None:
    """Write the head in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"kinds": ",".join(head.kinds), "threshold": repr(head.threshold)}
    save_file({"W": head.weights.astype(np.float16), "b": head.bias.astype(np.float32)}, str(path), metadata=metadata)


def load_question_head(path: Path) -> QuestionHead:
    """Load strictly.

    Raises:
        RegistryError: Another size than the code expects, or a value that is not finite.
    """
    with safe_open(str(path), "np") as opened:
        metadata = opened.metadata() or {}
        weights, bias = opened.get_tensor("W").astype(np.float32), opened.get_tensor("b")
    kinds = tuple(metadata.get("kinds", "").split(","))
    if weights.shape != (len(kinds), WIDTH) or bias.shape != (len(kinds),):
        raise RegistryError(f"{path}: W is {weights.shape}, b {bias.shape}; expected ({len(kinds)}, {WIDTH}) and one b")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise RegistryError(f"{path}: a weight is nan or infinite; remedy: train or activate another version")
    return QuestionHead(weights, bias, kinds, float(metadata["threshold"]))
