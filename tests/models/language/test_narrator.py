import re

import pytest
import torch
from tokenizers import Tokenizer, models

from models.language.llama import KeyValueCache, LlamaShape, TokenLayout
from models.language.matrix import NumberFormat
from models.language.narrator import END, MAX_TOKENS, RETRIES, STOP, Grammar, Narrator

SHAPE = LlamaShape(width=8, n_layers=1, n_heads=1, n_kv_heads=1, intermediate=8, rope_theta=1e4, norm_eps=1e-5)
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
    """Language model with random hidden states."""

    def __init__(self, number_format: NumberFormat) -> None:
        self.generator = torch.Generator().manual_seed(3)
        self.number_format = number_format

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*ids.shape, 8)

    def new_cache(self, n: int, capacity: int) -> KeyValueCache:
        return KeyValueCache(SHAPE, n, capacity, torch.float32)

    def forward(self, inputs: torch.Tensor, layout: TokenLayout, cache: KeyValueCache) -> torch.Tensor:
        cache.filled += inputs.shape[1]
        assert cache.filled <= cache.tensor.shape[4]
        return torch.randn(*layout.outputs.shape, 8, generator=self.generator).to(self.number_format.dtype)


@pytest.fixture(params=[NumberFormat(torch.float32), NumberFormat.fast()], ids=["exact", "fast"])
def narrator(request: pytest.FixtureRequest) -> Narrator:
    words = tokenizer()
    embedding = torch.randn(words.get_vocab_size(), 8, generator=torch.Generator().manual_seed(5))
    return Narrator(RandomLayers(request.param), embedding, words, "random")  # type: ignore[arg-type]


def test_no_digit_and_no_unknown_reference_is_generated_by_any_model(narrator: Narrator) -> None:
    sentences = 0
    for _ in range(60):
        for sentence in narrator.sentences("The", ("price", "reference price"), lambda _: True, MAX_TOKENS):
            sentences += 1
            assert sentence.endswith(STOP)
            assert not re.search(r"\d", sentence)
            assert set(re.findall(r"\[([^\]]*)\]", sentence)) <= {"price", "reference price"}
    assert sentences > 20


def test_a_rejected_sentence_is_generated_again_from_its_start(narrator: Narrator) -> None:
    for _ in range(30):
        tried: list[str] = []

        def refuses(sentence: str, tried: list[str] = tried) -> bool:
            tried.append(sentence)
            return False

        first = next(narrator.sentences("The", ("price",), refuses), None)
        if first is not None:
            assert 1 <= len(tried) <= 1 + RETRIES
            assert first == tried[-1]


def test_an_accepted_sentence_is_generated_once(narrator: Narrator) -> None:
    tried: list[str] = []

    def accepts(sentence: str) -> bool:
        tried.append(sentence)
        return True

    for _ in range(30):
        tried.clear()
        assert list(narrator.sentences("The", ("price",), accepts)) == tried
