"""The narrator: SmolLM2-135M with a LoRA delta, generating a few sentences under a grammar without digits.

Numbers and names appear in its text as references in brackets, `[reference price]`, and the grammar allows only the
caller's references; a number in the final text is therefore always one of the caller's facts. Decoding is greedy and
thus deterministic. A sentence that the caller rejects is generated again from its start by sampling with a fixed seed.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import ModelError
from models.language.llama import KeyValueCache, LlamaLayers, TokenLayout
from models.language.matrix import Matrix, NumberFormat
from models.strategist.strategist import SMOLLM2_SHAPE

NARRATOR_SHAPE: Final = replace(SMOLLM2_SHAPE, n_layers=30)
MAX_TOKENS: Final = 110
END: Final = "<|im_end|>"
OPEN, CLOSE = "[", "]"
STOP: Final = "."
RETRIES: Final = 2
_TEMPERATURE: Final = 0.7
_SEED: Final = 17
_PLAIN: Final = re.compile(r"[A-Za-z ,.;:'()“”-]*")


class Grammar:
    """Allowed next tokens as masks over the vocabulary; built once per tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Classify the vocabulary.

        Raises:
            ModelError: The tokenizer has no end token.
        """
        size = tokenizer.get_vocab_size()
        end = tokenizer.token_to_id(END)
        if end is None:
            raise ModelError(f"the tokenizer has no token {END!r}; remedy: pricesmith prepare")
        self.end: int = end
        self.texts = tokenizer.decode_batch([[index] for index in range(size)], skip_special_tokens=False)
        self.texts[self.end] = ""
        self._outside = torch.zeros(size, dtype=torch.bool)
        for index, text in enumerate(self.texts):
            body = text.removesuffix(OPEN)
            self._outside[index] = bool(text) and _PLAIN.fullmatch(body) is not None
        self._outside[self.end] = True
        self._inside = lru_cache(maxsize=4_096)(self._continuing)

    def allowed(self, written: str, references: Sequence[str]) -> Tensor:
        """Mask `(vocabulary,)` of the tokens that may follow `written`."""
        start = written.rfind(OPEN)
        if start <= written.rfind(CLOSE):
            return self._outside
        prefix = written[start + 1 :]
        mask = torch.zeros_like(self._outside)
        for reference in references:
            if reference.startswith(prefix):
                mask |= self._inside(reference[len(prefix) :] + CLOSE)
        return mask

    def _continuing(self, rest: str) -> Tensor:
        """Mask of tokens that are a prefix of `rest`, or `rest` followed by plain text."""
        mask = torch.zeros_like(self._outside)
        for index, text in enumerate(self.texts):
            if text and (rest.startswith(text) or (text.startswith(rest) and _PLAIN.fullmatch(text[len(rest) :]))):
                mask[index] = True
        return mask


@dataclass(frozen=True, slots=True)
class _DecodingState:
    """Text generated so far, hidden state of its last token `(width,)`, tokens in the cache, tokens left."""

    written: str
    hidden: Tensor
    read: int
    left: int
    ended: bool = False


class Narrator:
    """Generates texts; not safe for concurrent use."""

    def __init__(self, layers: LlamaLayers, head: Tensor, tokenizer: Tokenizer, version: str) -> None:
        """Use the language model and its head `(vocabulary, width)`."""
        self._layers = layers
        self._head = Matrix(head, layers.number_format)
        self._tokenizer = tokenizer
        self._grammar = Grammar(tokenizer)
        self.version = version

    def sentences(
        self, prompt: str, references: Sequence[str], accepts: Callable[[str], bool], limit: int = MAX_TOKENS
    ) -> Iterator[str]:
        """Yield complete sentences as they are generated, at most `limit` tokens in all.

        A sentence that `accepts` rejects is generated again up to `RETRIES` times; the last attempt is yielded even if
        rejected, so that the caller sees the failure. An unfinished sentence is dropped.
        """
        generator = torch.Generator().manual_seed(_SEED)
        with torch.inference_mode():
            ids = self._tokenizer.encode(prompt).ids
            cache = self._layers.new_cache(1, len(ids) + limit)
            state = _DecodingState("", self._forward(ids, cache), len(ids), limit)
        while not state.ended:
            for attempt in range(1 + RETRIES):
                with torch.inference_mode():
                    after = self._sentence(state, cache, references, generator if attempt else None)
                sentence = after.written[len(state.written) :].strip()
                if not sentence.endswith(STOP) or accepts(sentence):
                    break
            if not sentence.endswith(STOP):
                return
            yield sentence
            state = after

    def _sentence(
        self, start: _DecodingState, cache: KeyValueCache, references: Sequence[str], generator: torch.Generator | None
    ) -> _DecodingState:
        """Decode to the end of the sentence, the end of the text, or the token limit."""
        written, hidden = start.written, start.hidden
        cache.filled = start.read  # discard the tokens of a rejected attempt
        for left in range(start.left - 1, -1, -1):
            token = self._next(hidden, written, references, generator)
            if token == self._grammar.end:
                return _DecodingState(written, hidden, cache.filled, left, ended=True)
            hidden = self._forward([token], cache)
            piece = self._grammar.texts[token]
            written += piece
            if piece.rstrip().endswith(STOP):  # never a decimal point, as the grammar has no digits
                return _DecodingState(written, hidden, cache.filled, left, ended=left == 0)
        return _DecodingState(written, hidden, cache.filled, 0, ended=True)

    def _forward(self, ids: Sequence[int], cache: KeyValueCache) -> Tensor:
        """Process further tokens; returns the hidden state of the last, `(width,)`."""
        positions = cache.filled + torch.arange(len(ids))
        mask = torch.arange(cache.filled + len(ids)) <= positions[:, None]
        layout = TokenLayout(positions[None], mask[None], torch.tensor([[len(ids) - 1]]))
        return self._layers.forward(self._layers.embed(torch.tensor([ids])), layout, cache)[0, 0]

    def _next(self, hidden: Tensor, written: str, references: Sequence[str], generator: torch.Generator | None) -> int:
        """Choose the next token: the likeliest allowed one, or a sample if `generator` is given."""
        logits = self._head(hidden).float()
        logits = logits.masked_fill(~self._grammar.allowed(written, references), float("-inf"))
        if generator is None:
            return int(logits.argmax())
        return int(torch.multinomial(torch.softmax(logits / _TEMPERATURE, -1), 1, generator=generator))


def load_narrator(folder: Path, version: str) -> Narrator:
    """Load the runtime folder that `models.language.narrator_export` writes."""
    tensors = load_file(str(folder / "narrator.safetensors"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    layers = LlamaLayers(tensors, NARRATOR_SHAPE, NumberFormat.fast())
    return Narrator(layers, tensors["embed_tokens.weight"], tokenizer, version)
