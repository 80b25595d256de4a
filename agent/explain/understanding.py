"""Classification of questions, with abstention below a threshold."""

from dataclasses import dataclass
from typing import Protocol

from agent.explain.questions import QuestionKind
from models.encoder.encoder import Encoder
from models.questions.classifier import QuestionHead


@dataclass(frozen=True, slots=True)
class Guess:
    """A kind and its probability, by the classifier alone."""

    kind: QuestionKind
    probability: float


class Understanding(Protocol):
    """Classifies questions."""

    def read(self, text: str) -> Guess:
        """The kind of one question."""
        ...


@dataclass(frozen=True, slots=True)
class Classifier:
    """Character n-grams and the encoder's state through one softmax head; below its threshold it abstains."""

    encoder: Encoder
    head: QuestionHead

    def read(self, text: str) -> Guess:
        """The kind of one question."""
        probabilities = self.head.probabilities([text], self.encoder.encode([text]))[0]
        best = int(probabilities.argmax())
        kind = QuestionKind(self.head.kinds[best])
        probability = float(probabilities[best])
        return Guess(kind if probability >= self.head.threshold else QuestionKind.NONE, probability)
