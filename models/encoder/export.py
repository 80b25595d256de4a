"""Export of the encoder: base weights merged with a LoRA delta, converted to OpenVINO and checked."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from models.encoder.base import base_folder
from models.encoder.encoder import MAX_TOKENS, TextTokenizer, TorchEncoder
from models.encoder.settings import EncoderSettings, write_encoder_settings
from models.errors import ModelError
from models.language.lora import merge_lora

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_PROBE: Final = ("often buys yogurt, cheese; pays mostly on offer", "cottage cheese 16 OZ. milk products")


class SentenceModule(nn.Module):
    """Sentence-transformers model as one graph: ids and mask `(n, length)` to unit vectors `(n, dim)`."""

    def __init__(self, model: "SentenceTransformer") -> None:
        """Wrap a model with its pooling."""
        super().__init__()
        self.transformer = transformer_of(model)
        self.rest = nn.ModuleList(list(model)[1:])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode one padded batch."""
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        found = {"token_embeddings": states, "attention_mask": attention_mask}  # (n, length, dim)
        for module in self.rest:
            found = module(found)
        return nn.functional.normalize(found["sentence_embedding"], dim=-1)


def load_base(folder: Path, device: str = "cpu", attention: str = "eager") -> "SentenceTransformer":
    """Load a sentence-transformers folder in single precision; texts are cut to `MAX_TOKENS`."""
    from sentence_transformers import SentenceTransformer  # takes seconds to import, and serving does not need it

    kwargs: dict[str, Any] = {"attn_implementation": attention, "dtype": torch.float32}
    model = SentenceTransformer(str(folder), device=device, model_kwargs=kwargs, local_files_only=True)
    model.max_seq_length = min(MAX_TOKENS, model.max_seq_length or MAX_TOKENS)
    return model.train(False)


def transformer_of(model: "SentenceTransformer") -> nn.Module:
    """Transformer of a sentence-transformers model, to whose matrices deltas are added."""
    return cast("nn.Module", model[0].auto_model)


def merge_delta(model: "SentenceTransformer", adapter: Path) -> None:
    """Merge a LoRA delta into a base encoder.

    Raises:
        ModelError: The delta names a matrix that the model does not have, or changes no output.
    """
    before = _probe(model)
    merge_lora(dict(transformer_of(model).named_parameters()), adapter)
    if np.allclose(before, _probe(model), atol=1e-4):
        raise ModelError(f"{adapter}: merging the LoRA delta changed no output; remedy: train the encoder again")


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Suppress the conversion libraries' progress bars, load reports and deprecation warnings."""
    from transformers.utils import logging as transformers_logging  # takes seconds to import

    level = transformers_logging.get_verbosity()
    sentences = logging.getLogger("sentence_transformers")
    sentences_level = sentences.level
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    sentences.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sentences.setLevel(sentences_level)
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def export_encoder(base: str, adapter: Path | None, folder: Path) -> None:
    """Write the runtime folder: `encoder.xml`, `encoder.bin`, `encoder.json`, `tokenizer.json`.

    Args:
        base: Base encoder, by name or folder.
        adapter: LoRA delta to merge into it, if any.
        folder: Where to write.

    Raises:
        BaseWeightsError: The base encoder is missing or altered.
        ModelError: The delta does not fit, or the converted graph does not agree with the torch module to 2e-3.
    """
    with silence_libraries(), base_folder(base) as source:
        model = load_base(source)
        if adapter is not None:
            merge_delta(model, adapter)
        _export(model, folder)


def _export(model: "SentenceTransformer", folder: Path) -> None:
    import openvino as ov  # slow to import, and only the export and its runtime need it

    module = SentenceModule(model).train(False)
    folder.mkdir(parents=True, exist_ok=True)
    model.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    write_encoder_settings(_settings(model), folder)
    ids, mask = TextTokenizer(folder)(_PROBE)
    example = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    graph = ov.convert_model(module, example_input=example)
    ov.save_model(graph, str(folder / "encoder.xml"), compress_to_fp16=True)  # read from disk as they are looked up
    compiled = ov.Core().compile_model(str(folder / "encoder.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    converted = next(iter(compiled({"input_ids": ids, "attention_mask": mask}).values()))
    expected = TorchEncoder(folder, "torch", module).encode(_PROBE)
    if not np.allclose(converted, expected, atol=2e-3):
        raise ModelError(
            f"the converted encoder differs from torch by {float(np.abs(converted - expected).max()):.2g}; allowed: "
            "0.002; remedy: install the openvino version of requirements.lock"
        )


def _settings(model: "SentenceTransformer") -> EncoderSettings:
    """Read how the model wants its texts."""
    prompt = model.prompts.get(model.default_prompt_name or "", "")
    return EncoderSettings(
        dim=int(model.get_embedding_dimension() or 0),
        max_tokens=int(model.max_seq_length or MAX_TOKENS),
        pad_id=int(model.tokenizer.pad_token_id),
        prefix=prompt,
    )


def _probe(model: "SentenceTransformer") -> np.ndarray:
    return np.asarray(model.encode(list(_PROBE), show_progress_bar=False))
