"""Numeric head of the strategist: reads the prompt's numbers as values, which four transformer layers do poorly.

Fields are parsed from the prompt's text: numbers in a piecewise-linear (hat) basis, words one-hot. A small network maps
them, with the lever and anchor decoded so far, to logits that are added to the language model's. Numbers as values
beside a language model: Golkar et al. 2023, xVal; added logits: products of experts, Hinton 2002.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.errors import RegistryError
from models.strategist.files import NUMBERS_FILE
from models.strategist.strategy import MOVES, Anchor, Lever

HIDDEN: Final = 256
N_TOKENS: Final = len(Lever) + len(Anchor) + len(MOVES)
_NUMBER: Final = r"([+-]?\d+(?:\.\d+)?)"
_MANY: Final = 10.0


@dataclass(frozen=True, slots=True)
class NumberField:
    """A numeric field, encoded by `knots` hat functions between `low` and `high`."""

    pattern: re.Pattern[str]
    low: float
    high: float
    knots: int

    @property
    def size(self) -> int:
        """Number of features: known flag, scaled value, hat functions."""
        return 2 + self.knots

    def values(self, text: str) -> list[float]:
        """Parse and encode the field; all zeros when the text lacks it."""
        found = self.pattern.search(text)
        if found is None:
            return [0.0] * self.size
        value = min(self.high, max(self.low, _value(found[1], text[found.end(1) :])))
        step = (self.high - self.low) / (self.knots - 1)
        position = (value - self.low) / step
        hats = [max(0.0, 1 - abs(position - knot)) for knot in range(self.knots)]
        return [1.0, 2 * (value - self.low) / (self.high - self.low) - 1, *hats]


@dataclass(frozen=True, slots=True)
class WordField:
    """A categorical field, encoded one-hot over `words`."""

    pattern: re.Pattern[str]
    words: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.words)

    def values(self, text: str) -> list[float]:
        """Parse and encode the field; all zeros when the text lacks it or has another word."""
        found = self.pattern.search(text)
        return [float(found is not None and found[1] == word) for word in self.words]


def _value(number: str, behind: str) -> float:
    """Convert sales (`+32 at -20`) to the log of their ratio, `4 days` to log(1 + hours); others stay unchanged."""
    if number == "many":
        return _MANY
    if number == "same":
        return 0.0
    if behind.startswith(" at "):
        return log(max(0.01, 1 + float(number) / 100))
    if behind.startswith((" hours", " days")):
        return log1p(float(number) * (24 if behind.startswith(" days") else 1))
    return float(number)


def _offset(label: str) -> re.Pattern[str]:
    return re.compile(rf"\b{label} ([+-]\d+|same)")


def _sales(move: str) -> re.Pattern[str]:
    return re.compile(rf"([+-]\d+) at {re.escape(move)}\b")


FIELDS: Final[tuple[NumberField | WordField, ...]] = (
    NumberField(_offset("list"), 0, 25, 9),
    NumberField(_offset("last paid"), -30, 30, 9),
    NumberField(_offset("rival"), -35, 35, 15),
    NumberField(re.compile(rf"\bcost {_NUMBER} percent"), 0, 120, 17),
    NumberField(re.compile(rf"\belasticity {_NUMBER}"), 0, 8, 13),
    NumberField(_sales("-20"), 0, 1.8, 17),
    NumberField(_sales("-10"), 0, 0.9, 17),
    NumberField(_sales("+10"), -1.2, 0, 17),
    NumberField(re.compile(rf"\bdeadline {_NUMBER} (?:hours|days)"), 0, 6, 7),
    NumberField(re.compile(r"\bquantity (\d+|many)"), 1, _MANY, 10),
    WordField(re.compile(r"\bstock (\w+)"), ("unknown", "scarce", "normal", "deep")),
    WordField(re.compile(r"\bshopper (\w+)"), ("new", "occasional", "regular", "lapsed")),
    WordField(re.compile(r"\brise (\w+)"), ("yes", "no")),
)
N_FEATURES: Final = sum(field.size for field in FIELDS)


def numeric_features(prompts: Sequence[str]) -> Tensor:
    """Encode the fields of each prompt, `(n, N_FEATURES)` in float32."""
    rows = [[value for field in FIELDS for value in field.values(prompt)] for prompt in prompts]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, N_FEATURES)


class NumericHead(nn.Module):
    """Network from prompt fields to logits of the next token; before training it leaves the language model's unchanged.

    Attributes:
        trust: Weight of the language model's logit, by token.
    """

    def __init__(self, hidden: int = HIDDEN) -> None:
        """`hidden` is the network's width."""
        super().__init__()
        self.fields = nn.Linear(N_FEATURES, hidden)
        self.lever = nn.Embedding(1 + len(Lever), hidden)  # row 0: none written yet
        self.anchor = nn.Embedding(1 + len(Anchor), hidden)
        self.mixed = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, N_TOKENS)
        self.trust = nn.Parameter(torch.ones(N_TOKENS))
        for start in (self.lever.weight, self.anchor.weight, self.out.weight, self.out.bias):
            nn.init.zeros_(start)

    def forward(self, values: Tensor, lever: Tensor, anchor: Tensor) -> Tensor:
        """Compute logits `(n, branches, N_TOKENS)` of levers, anchors and moves.

        Args:
            values: Features `(n, N_FEATURES)`.
            lever: Index in `Lever` decoded so far, `(n, branches)`; -1 for none yet.
            anchor: Index in `Anchor`, likewise.
        """
        hidden = torch.relu(self.fields(values)[:, None] + self.lever(lever + 1) + self.anchor(anchor + 1))
        return torch.Tensor(self.out(hidden + torch.relu(self.mixed(hidden))))

    def combine(self, language: Tensor, numbers: Tensor, slot: slice) -> Tensor:
        """Add logits from `forward` to the weighted logits of the language model for one slot."""
        return self.trust[slot] * language + numbers[..., slot]

    def save(self, folder: Path) -> None:
        """Write the weights in half precision."""
        state = {name: tensor.detach().half().contiguous() for name, tensor in self.state_dict().items()}
        save_file(state, str(folder / NUMBERS_FILE))

    @classmethod
    def load(cls, folder: Path) -> "NumericHead":
        """Load weights that `save` wrote.

        Raises:
            RegistryError: The weights are for other fields.
        """
        state = {name: tensor.float() for name, tensor in load_file(str(folder / NUMBERS_FILE)).items()}
        reader = cls(len(state["fields.bias"]) if "fields.bias" in state else HIDDEN)
        try:
            reader.load_state_dict(state)
        except RuntimeError as error:
            raise RegistryError(
                f"{folder / NUMBERS_FILE} was trained for other prompt fields; remedy: train the strategist again"
            ) from error
        return reader.eval().requires_grad_(requires_grad=False)
