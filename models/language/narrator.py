"""The narrator: SmolLM2-135M, whole, with a delta, writing a few sentences under a grammar that has no digits.

Numbers and names stand in its text as references in brackets, `[reference price]`, and the grammar knows only the
references that the caller allows: whatever it writes, a number can only be one of the caller's facts. Decoding is
greedy, so that one prompt has one text; a sentence that the caller refuses is written again from where it began, drawn
from the model by a fixed seed.
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
from models.language.llama import KeyValues, LlamaLayers, Places
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
    """Which tokens may follow, as masks over the vocabulary; made once for a tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Sort the vocabulary into plain tokens and those that open a reference."""
        size = tokenizer.get_vocab_size()
        end = tokenizer.token_to_id(END)
        if end is None:
            raise ModelError(f"the tokenizer lacks {END}; remedy: pricesmith prepare")
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
        """Mask `(vocabulary,)` of tokens that keep the text within the grammar."""
        start = written.rfind(OPEN)
        if start <= written.rfind(CLOSE):
            return self._outside
        begun = written[start + 1 :]
        mask = torch.zeros_like(self._outside)
        for reference in references:
            if reference.startswith(begun):
                mask |= self._inside(reference[len(begun) :] + CLOSE)
        return mask

    def _continuing(self, rest: str) -> Tensor:
        """Tokens that write a part of `rest`, or all of it and then plain text."""
        mask = torch.zeros_like(self._outside)
        for index, text in enumerate(self.texts):
            if text and (rest.startswith(text) or (text.startswith(rest) and _PLAIN.fullmatch(text[len(rest) :]))):
                mask[index] = True
        return mask


@dataclass(frozen=True, slots=True)
class _Point:
    """How far a text is: what is written, the state that says what comes next `(width,)`, tokens read and left."""

    written: str
    state: Tensor
    read: int
    left: int
    ended: bool = False


class Narrator:
    """Writes texts; one instance serves one thread at a time."""

    def __init__(self, layers: LlamaLayers, head: Tensor, tokenizer: Tokenizer, version: str) -> None:
        """Take the language model and its head `(vocabulary, width)`."""
        self._layers = layers
        self._head = Matrix(head, layers.form)
        self._tokenizer = tokenizer
        self._grammar = Grammar(tokenizer)
        self.version = version

    def sentences(
        self, prompt: str, references: Sequence[str], accepts: Callable[[str], bool], limit: int = MAX_TOKENS
    ) -> Iterator[str]:
        """Whole sentences, each as soon as it is written; `limit` tokens of them at most.

        One that `accepts` refuses is written again up to `RETRIES` times; the last try comes whatever it is, so that
        the caller sees what the model could not mend. An unfinished sentence never comes.
        """
        generator = torch.Generator().manual_seed(_SEED)
        with torch.inference_mode():
            ids = self._tokenizer.encode(prompt).ids
            memory = self._layers.empty(1, len(ids) + limit)
            point = _Point("", self._read(ids, memory), len(ids), limit)
        while not point.ended:
            for attempt in range(1 + RETRIES):
                with torch.inference_mode():
                    after = self._sentence(point, memory, references, generator if attempt else None)
                sentence = after.written[len(point.written) :].strip()
                if not sentence.endswith(STOP) or accepts(sentence):
                    break
            if not sentence.endswith(STOP):
                return
            yield sentence
            point = after

    def _sentence(
        self, point: _Point, memory: KeyValues, references: Sequence[str], generator: torch.Generator | None
    ) -> _Point:
        """From a point to the end of the sentence there, of the text, or of the tokens that are left."""
        written, state = point.written, point.state
        memory.filled = point.read  # what was read behind it belongs to a sentence that was refused
        for left in range(point.left - 1, -1, -1):
            token = self._next(state, written, references, generator)
            if token == self._grammar.end:
                return _Point(written, state, memory.filled, left, ended=True)
            state = self._read([token], memory)
            piece = self._grammar.texts[token]
            written += piece
            if piece.rstrip().endswith(STOP):  # the grammar has no digits: a point ends a sentence
                return _Point(written, state, memory.filled, left, ended=left == 0)
        return _Point(written, state, memory.filled, 0, ended=True)

    def _read(self, ids: Sequence[int], memory: KeyValues) -> Tensor:
        """The state after further tokens, `(width,)`."""
        positions = memory.filled + torch.arange(len(ids))
        allowed = torch.arange(memory.filled + len(ids)) <= positions[:, None]
        places = Places(positions[None], allowed[None], torch.tensor([[len(ids) - 1]]))
        return self._layers.read(self._layers.embed(torch.tensor([ids])), places, memory)[0, 0]

    def _next(self, state: Tensor, written: str, references: Sequence[str], generator: torch.Generator | None) -> int:
        logits = self._head(state).float()
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
