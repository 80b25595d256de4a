"""Cross-validated logistic probes that predict protected attributes from encoder states.

Texts are of two kinds. `told` and `dropped` texts are behaviour texts with randomly added interests and a mention of
the attribute; in `dropped` texts screening has removed the mention, so that only the correlated interests remain (about
two of three come from the group's own list). The demo store's texts are behaviour only, labelled by the demo data.
Baselines are the same probe on a bag of words, and on shuffled labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from agent.rules.packs import Pack
from agent.rules.screening import screen_profile
from eval.fairness.pairs import pair_file
from models.arrays import Floats

Labels = NDArray[np.int64]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]

TOLD: Final = "told"
DROPPED: Final = "dropped"
DEMO_LABELS: Final = "demo data's labels, behaviour alone"
_STRICTEST: Final = "US-NY"
_DAY: Final = date(2026, 12, 1)  # its law is in force
_OWN_SIDE: Final = 0.65
_INTERESTS: Final = 3
_FOLDS: Final = 5
_SHUFFLES: Final = 5
_RESAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """Areas under the ROC curve of one attribute, cross-validated, with 95 % intervals over texts.

    Attributes:
        shuffled: Mean area over permutations of the labels; 0.5 in expectation.
        shuffled_most: Largest of these.
    """

    attribute: str
    texts: str
    n: int
    encoder: float
    encoder_low: float
    encoder_high: float
    words: float
    words_low: float
    words_high: float
    shuffled: float
    shuffled_most: float


def probe_mentions(behaviour: Sequence[str], pack: Pack, encode: Encode) -> list[ProbeLine]:
    """Probe every attribute that has leanings, with its mention (`told`) and without (`dropped`)."""
    lines = []
    for number, (name, attribute) in enumerate(pair_file().protected.items()):
        if attribute.leanings is None:
            continue
        rng = np.random.default_rng((29, number))
        labels = rng.permutation(np.arange(len(behaviour)) % 2)
        leanings = attribute.leanings
        profiles = [_profile((leanings[k], leanings[1 - k]), attribute.texts[k], rng) for k in labels.tolist()]
        screened = [screen_profile(profile, pack, _STRICTEST, _DAY).text for profile in profiles]
        for texts, shown in ((TOLD, profiles), (DROPPED, screened)):
            joined = [f"profile: {profile}; {past}" for profile, past in zip(shown, behaviour, strict=True)]
            lines.append(probe(name, texts, joined, labels, encode))
    return lines


def probe(attribute: str, kind: str, texts: Sequence[str], labels: Labels, encode: Encode) -> ProbeLine:
    """Probe encoder states and words for one attribute; `labels` `(n,)` are 0 or 1."""
    states = encode(texts).astype(np.float64)
    on_states = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2_000))
    on_words = make_pipeline(CountVectorizer(min_df=2, binary=True), LogisticRegression(C=0.3, max_iter=2_000))
    by_state, by_word = _scores(on_states, states, labels), _scores(on_words, list(texts), labels)
    rng = np.random.default_rng(31)
    shuffles = [rng.permutation(labels) for _ in range(_SHUFFLES)]
    shuffled = [float(roc_auc_score(other, _scores(on_states, states, other))) for other in shuffles]
    return ProbeLine(
        attribute,
        kind,
        len(texts),
        *_auc(labels, by_state),
        *_auc(labels, by_word),
        shuffled=float(np.mean(shuffled)),
        shuffled_most=max(shuffled),
    )


def _profile(leanings: tuple[Sequence[str], Sequence[str]], mention: str, rng: np.random.Generator) -> str:
    """Join a mention with random interests; the own group's list comes first and is drawn more often."""
    own, other = leanings
    liked = [str(rng.choice(own if rng.random() < _OWN_SIDE else other)) for _ in range(_INTERESTS)]
    return f"likes {', '.join(liked)}; {mention}"


def _scores(model: Any, inputs: Any, labels: Labels) -> Floats:
    """Compute out-of-fold scores."""
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=7)
    return np.asarray(cross_val_predict(model, inputs, labels, cv=folds, method="decision_function"))


def _auc(labels: Labels, scores: Floats) -> tuple[float, float, float]:
    """Compute the area under the ROC curve and its 95 % bootstrap interval."""
    rng = np.random.default_rng(37)
    draws = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        if 0 < labels[rows].sum() < len(rows):
            draws.append(float(roc_auc_score(labels[rows], scores[rows])))
    low, high = np.percentile(draws, (2.5, 97.5)).tolist()
    return float(roc_auc_score(labels, scores)), low, high
