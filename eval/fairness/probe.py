"""How well protected attributes can be told from the encoder's states: a logistic probe, cross-validated.

Two kinds of texts. `told` and `dropped` are real behaviour texts to which interests and a mention were added by chance;
`dropped` ones went through the screen, so that what is left of the attribute is in the interests alone, which lean to
one side (two of three from the own side's list on average). The demo's are behaviour alone, labelled by the demo data.
Beside the encoder's states the same probe reads a bag of words, and shuffled labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
_OWN_SIDE: Final = 0.65
_INTERESTS: Final = 3
_FOLDS: Final = 5
_SHUFFLES: Final = 5
_RESAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """One attribute: areas under the ROC curve of cross-validated scores, with 95 % intervals over texts.

    Attributes:
        shuffled: Mean over shuffled labels: chance, .5 but for luck.
        shuffled_most: Largest of those.
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
    """Every attribute that has leanings, told and dropped."""
    found = []
    for number, (name, attribute) in enumerate(pair_file().protected.items()):
        if attribute.leanings is None:
            continue
        rng = np.random.default_rng((29, number))
        labels = rng.permutation(np.arange(len(behaviour)) % 2)
        leanings = attribute.leanings
        profiles = [_profile((leanings[k], leanings[1 - k]), attribute.texts[k], rng) for k in labels.tolist()]
        screened = [screen_profile(profile, pack, _STRICTEST).text for profile in profiles]
        for texts, shown in ((TOLD, profiles), (DROPPED, screened)):
            joined = [f"profile: {own}; {past}" for own, past in zip(shown, behaviour, strict=True)]
            found.append(probe(name, texts, joined, labels, encode))
    return found


def probe(attribute: str, kind: str, texts: Sequence[str], labels: Labels, encode: Encode) -> ProbeLine:
    """One probe on the encoder's states and on words. `labels` are 0 or 1."""
    states = encode(texts).astype(np.float64)
    on_states = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2_000))
    on_words = make_pipeline(CountVectorizer(min_df=2, binary=True), LogisticRegression(C=0.3, max_iter=2_000))
    by_state, by_word = _scores(on_states, states, labels), _scores(on_words, list(texts), labels)
    rng = np.random.default_rng(31)
    shuffles = [rng.permutation(labels) for _ in range(_SHUFFLES)]
    chance = [float(roc_auc_score(other, _scores(on_states, states, other))) for other in shuffles]
    return ProbeLine(
        attribute,
        kind,
        len(texts),
        *_auc(labels, by_state),
        *_auc(labels, by_word),
        shuffled=float(np.mean(chance)),
        shuffled_most=max(chance),
    )


def _profile(leanings: tuple[Sequence[str], Sequence[str]], said: str, rng: np.random.Generator) -> str:
    """Interests, most from the own side's list, which comes first, and a mention."""
    own, other = leanings
    liked = [str(rng.choice(own if rng.random() < _OWN_SIDE else other)) for _ in range(_INTERESTS)]
    return f"likes {', '.join(liked)}; {said}"


def _scores(model: Any, inputs: Any, labels: Labels) -> Floats:
    """Out-of-fold scores."""
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=7)
    return np.asarray(cross_val_predict(model, inputs, labels, cv=folds, method="decision_function"))


def _auc(labels: Labels, scores: Floats) -> tuple[float, float, float]:
    """Area under the curve with its bootstrap interval."""
    rng = np.random.default_rng(37)
    draws = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        if 0 < labels[rows].sum() < len(rows):
            draws.append(float(roc_auc_score(labels[rows], scores[rows])))
    low, high = np.percentile(draws, (2.5, 97.5)).tolist()
    return float(roc_auc_score(labels, scores)), low, high
