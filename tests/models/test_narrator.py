import re

import pytest
import torch
from tokenizers import Tokenizer, models

from models.narrator import END, MAX_TOKENS, Grammar, Narrator

WORDS = [
    END,
    "The",
    " price",
    " is",
    " [",
    "[",
    "pri",
    "ce",
    "price",
    "reference",
    " price",
    "]",
    "],",
    "].",
    "1",
    " 2",
    "]3",
    "x[y",
    ".",
    "%",
    "价",
]


@pytest.fixture
def grammar() -> Grammar:
    return Grammar(tokenizer())


def tokenizer() -> Tokenizer:
    return Tokenizer(models.WordLevel({word: index for index, word in enumerate(dict.fromkeys(WORDS))}, END))


def allowed(grammar: Grammar, written: str, references: tuple[str, ...]) -> set[str]:
    mask = grammar.allowed(written, references)
    return {text for text, may in zip(grammar.texts, mask.tolist(), strict=True) if may and text}


def test_outside_a_reference_there_are_no_digits_and_no_closing_brackets(grammar: Grammar) -> None:
    assert allowed(grammar, "The", ("price",)) == {
        "The",
        " price",
        " is",
        " [",
        "[",
        "pri",
        "ce",
        "price",
        "reference",
        ".",
    }


def test_a_reference_can_only_be_one_that_was_given(grammar: Grammar) -> None:
    assert allowed(grammar, "The [", ("price",)) == {"pri", "price"}
    assert allowed(grammar, "The [pri", ("price",)) == {"ce"}
    assert allowed(grammar, "The [price", ("price",)) == {"]", "],", "]."}
    assert allowed(grammar, "The [reference", ("price", "reference price")) == {" price"}


class RandomLayers:
    """States drawn at random: a language model that knows nothing."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(3)

    def prefill(self, ids: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.randn(1, 8, generator=self.generator), None

    def step(self, inputs: torch.Tensor, prompt: None, beams: None) -> tuple[torch.Tensor, None]:
        return torch.randn(1, 1, 8, generator=self.generator), None


def test_whatever_the_model_wants_no_digit_and_no_unknown_reference_is_written() -> None:
    words = tokenizer()
    embedding = torch.randn(words.get_vocab_size(), 8, generator=torch.Generator().manual_seed(5))
    narrator = Narrator(RandomLayers(), embedding, words, "random")  # type: ignore[arg-type]
    for _ in range(30):
        text = "".join(narrator.write("The", ("price", "reference price"), MAX_TOKENS))
        assert not re.search(r"\d", text)
        assert set(re.findall(r"\[([^\]]*)\]", text)) <= {"price", "reference price"}
