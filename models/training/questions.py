"""Training of the question classifier on paraphrases."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from models.encoder.encoder import Encoder
from models.questions.classifier import Floats32, QuestionHead, question_features

DATA: Final = Path(__file__).parent / "data"


class Paraphrase(BaseModel):
    """A paraphrase of a question, with its kind and language (`en` or `zh`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    kind: str
    language: str


@dataclass(frozen=True, slots=True)
class QuestionTrainingConfig:
    """Hyperparameters of the classifier; below probability `threshold` it abstains."""

    epochs: int = 200
    learning_rate: float = 0.03
    weight_decay: float = 3e-4
    threshold: float = 0.35
    seed: int = 17


def read_paraphrases(path: Path) -> list[Paraphrase]:
    """Read paraphrases from a JSONL file."""
    return [Paraphrase.model_validate(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line]


def train_questions(
    paraphrases: Sequence[Paraphrase], encoder: Encoder, config: QuestionTrainingConfig
) -> QuestionHead:
    """Fit the head by softmax regression with weight decay, in full batches."""
    torch.manual_seed(config.seed)
    kinds = tuple(sorted({one.kind for one in paraphrases}))
    texts = [one.text for one in paraphrases]
    features = torch.from_numpy(question_features(texts, encoder.encode(texts)))
    labels = torch.tensor([kinds.index(one.kind) for one in paraphrases])
    layer = torch.nn.Linear(features.shape[1], len(kinds))
    torch.nn.init.zeros_(layer.weight)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
    for _ in range(config.epochs):
        loss = torch.nn.functional.cross_entropy(layer(features), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    weights: Floats32 = layer.weight.detach().numpy().astype(np.float32)
    return QuestionHead(weights, layer.bias.detach().numpy().astype(np.float32), kinds, config.threshold)


@dataclass(frozen=True, slots=True)
class QuestionScores:
    """Accuracy on held-out questions.

    Attributes:
        none_recall: Accuracy on questions of no kind.
        mistakes: (text, true kind, predicted kind).
    """

    accuracy: float
    accuracy_en: float
    accuracy_zh: float
    none_recall: float
    mistakes: tuple[tuple[str, str, str], ...]


def measure_questions(head: QuestionHead, encoder: Encoder, held_out: Sequence[Paraphrase]) -> QuestionScores:
    """Measure accuracy on held-out paraphrases; predictions below the threshold count as `none`."""
    texts = [one.text for one in held_out]
    probabilities = head.probabilities(texts, encoder.encode(texts))
    best = probabilities.argmax(1)
    predicted = [
        head.kinds[index] if row[index] >= head.threshold else "none"
        for index, row in zip(best, probabilities, strict=True)
    ]
    correct = [kind == one.kind for kind, one in zip(predicted, held_out, strict=True)]

    def share(chosen: Sequence[bool]) -> float:
        return float(np.asarray(correct)[np.asarray(chosen)].mean())

    return QuestionScores(
        accuracy=share([True] * len(correct)),
        accuracy_en=share([one.language == "en" for one in held_out]),
        accuracy_zh=share([one.language == "zh" for one in held_out]),
        none_recall=share([one.kind == "none" for one in held_out]),
        mistakes=tuple(
            (one.text, one.kind, kind)
            for one, kind, right in zip(held_out, predicted, correct, strict=True)
            if not right
        ),
    )
