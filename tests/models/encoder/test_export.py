"""Any sentence-transformers folder serves: a tiny one with other dimensions, pooling and tokenizer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from models.encoder.base import base_digest
from models.encoder.encoder import OpenVinoEncoder
from models.encoder.export import export_encoder, load_base, silence_libraries
from models.encoder.settings import read_encoder_settings
from models.errors import BaseWeightsError

WORDS = ("[PAD]", "[UNK]", "text", ":", "milk", "tea", "yogurt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertModel

    found = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    with silence_libraries():
        BertModel(config).save_pretrained(found)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(found / "tokenizer.json"))
    files: dict[str, object] = {
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": 24,
            "pooling_mode_mean_tokens": False,
            "pooling_mode_cls_token": True,
        },
        "sentence_bert_config.json": {"max_seq_length": 12, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"all": "text: "}, "default_prompt_name": "all"},
    }
    for name, content in files.items():
        (found / name).parent.mkdir(exist_ok=True)
        (found / name).write_text(json.dumps(content))
    return found


def test_dimensions_pooling_and_prefix_come_from_the_folder(folder: Path, tmp_path: Path) -> None:
    export_encoder(str(folder), None, tmp_path)
    settings = read_encoder_settings(tmp_path)
    assert (settings.dim, settings.max_tokens, settings.pad_id, settings.prefix) == (24, 12, 0, "text: ")
    texts = ["milk", "tea milk yogurt", "milk " * 40]
    with silence_libraries():
        expected = load_base(folder).encode(texts, normalize_embeddings=True, show_progress_bar=False)
    found = OpenVinoEncoder(tmp_path, "tiny", 1).encode(texts)
    assert found.shape == (3, 24)
    assert np.allclose(found, expected, atol=1e-2)


def test_versions_without_settings_are_the_first_encoder(tmp_path: Path) -> None:
    assert read_encoder_settings(tmp_path).dim == 384
    assert read_encoder_settings(tmp_path).prefix == ""


def test_a_folder_without_weights_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BaseWeightsError, match=r"has no modules.json.*PRICESMITH_ENCODER"):
        base_digest(str(tmp_path))
