"""The numbers of a strategist's prompt as values: four layers of a language model read digits badly.

A prompt's fields are taken from its text, each as a value on a piecewise-linear scale or as one of a few words. A small
network turns them, with the lever and anchor written so far, into logits that join the language model's. Numbers beside
a language model as values: Golkar et al. 2023, xVal; joined logits: Hinton 2002, products of experts.
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
from models.strategist.strategy import MOVES, Anchor, Lever

NUMBERS_FILE: Final = "numbers.safetensors"
HIDDEN: Final = 256
N_TOKENS: Final = len(Lever) + len(Anchor) + len(MOVES)
_NUMBER: Final = r"([+-]?\d+(?:\.\d+)?)"
_MANY: Final = 10.0


@dataclass(frozen=True, slots=True)
class NumberField:
    """A field whose text holds a number; `knots` points between `low` and `high` carry its bends."""

    pattern: re.Pattern[str]
    low: float
    high: float
    knots: int

    @property
    def size(self) -> int:
        """Known or not, the value itself, its weights on the knots."""
        return 2 + self.knots

    def values(self, text: str) -> list[float]:
        """All zeros where the text does not hold the field."""
        found = self.pattern.search(text)
        if found is None:
            return [0.0] * self.size
        value = min(self.high, max(self.low, _value(found[1], text[found.end(1) :])))
        step = (self.high - self.low) / (self.knots - 1)
        place = (value - self.low) / step
        hats = [max(0.0, 1 - abs(place - knot)) for knot in range(self.knots)]
        return [1.0, 2 * (value - self.low) / (self.high - self.low) - 1, *hats]


@dataclass(frozen=True, slots=True)
class WordField:
    """A field whose text is one of a few words."""

    pattern: re.Pattern[str]
    words: tuple[str, ...]

    @property
    def size(self) -> int:
        """One a word."""
        return len(self.words)

    def values(self, text: str) -> list[float]:
        """All zeros where the text does not hold one of the words."""
        found = self.pattern.search(text)
        return [float(found is not None and found[1] == word) for word in self.words]


def _value(number: str, behind: str) -> float:
    """Sales `+32 at -20` as the log of their ratio, `4 days` as the log of hours, everything else as it stands."""
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
N_VALUES: Final = sum(field.size for field in FIELDS)


def read_values(prompts: Sequence[str]) -> Tensor:
    """The fields of each prompt, `(n, N_VALUES)` in float32."""
    rows = [[value for field in FIELDS for value in field.values(prompt)] for prompt in prompts]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, N_VALUES)


class NumberReader(nn.Module):
    """What the fields say of the next token; a new one says nothing and trusts the language model."""

    def __init__(self, hidden: int = HIDDEN) -> None:
        """`hidden` is the network's width."""
        super().__init__()
        self.fields = nn.Linear(N_VALUES, hidden)
        self.lever = nn.Embedding(1 + len(Lever), hidden)  # row 0: none written yet
        self.anchor = nn.Embedding(1 + len(Anchor), hidden)
        self.mixed = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, N_TOKENS)
        self.trust = nn.Parameter(torch.ones(N_TOKENS))  # how much of the language model's logits counts
        for start in (self.lever.weight, self.anchor.weight, self.out.weight, self.out.bias):
            nn.init.zeros_(start)

    def forward(self, values: Tensor, lever: Tensor, anchor: Tensor) -> Tensor:
        """Logits `(n, branches, N_TOKENS)` of levers, anchors and moves.

        Args:
            values: `(n, N_VALUES)`.
            lever: Positions in `Lever` written before, `(n, branches)`; -1: none yet.
            anchor: Positions in `Anchor`, likewise.
        """
        hidden = torch.relu(self.fields(values)[:, None] + self.lever(lever + 1) + self.anchor(anchor + 1))
        return torch.Tensor(self.out(hidden + torch.relu(self.mixed(hidden))))

    def join(self, said: Tensor, numbers: Tensor, slot: slice) -> Tensor:
        """The language model's logits of a slot, joined by those that `forward` returned for the place."""
        return self.trust[slot] * said + numbers[..., slot]

    def save(self, folder: Path) -> None:
        """Write the weights in half precision."""
        state = {name: tensor.detach().half().contiguous() for name, tensor in self.state_dict().items()}
        save_file(state, str(folder / NUMBERS_FILE))

    @classmethod
    def load(cls, folder: Path) -> "NumberReader":
        """Read what `save` wrote.

        Raises:
            RegistryError: The weights are for other fields.
        """
        state = {name: tensor.float() for name, tensor in load_file(str(folder / NUMBERS_FILE)).items()}
        reader = cls(len(state["fields.bias"]) if "fields.bias" in state else HIDDEN)
        try:
            reader.load_state_dict(state)
        except RuntimeError as error:
            raise RegistryError(
                f"{folder / NUMBERS_FILE} is for other fields; remedy: train the strategist again"
            ) from error
        return reader.eval().requires_grad_(requires_grad=False)
