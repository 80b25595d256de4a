from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from models.encoder.encoder import DIM, Vectors
from models.questions.classifier import load_question_head, ngram_features, normalised, save_question_head
from models.training.questions import DATA, Paraphrase, QuestionTrainingConfig, read_paraphrases, train_questions


class FlatEncoder:
    """Encodes every text as zeros."""

    version = "flat"
    dim = DIM

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.zeros((len(texts), DIM), np.float32)

    encode_each = encode


def test_held_out_questions_are_none_of_the_training_ones() -> None:
    trained = {normalised(one.text) for one in read_paraphrases(DATA / "questions.jsonl")}
    held_out = read_paraphrases(DATA / "questions_held_out.jsonl")
    assert len(held_out) > 70
    assert not {normalised(one.text) for one in held_out} & trained
    assert {one.kind for one in held_out} == {one.kind for one in read_paraphrases(DATA / "questions.jsonl")}


def test_numbers_and_character_width_do_not_change_the_features() -> None:
    one, other = ngram_features(["Why not 2.50？", "why  not 1,199?"])
    assert np.array_equal(one, other)


def test_a_saved_head_loads_with_equal_probabilities(tmp_path: Path) -> None:
    paraphrases = [Paraphrase(text=text, kind=text[0], language="en") for text in ("a b", "b c", "a d", "b e")]
    head = train_questions(paraphrases, FlatEncoder(), QuestionTrainingConfig(epochs=20))
    save_question_head(head, tmp_path / "head.safetensors")
    read = load_question_head(tmp_path / "head.safetensors")
    states = np.zeros((2, DIM), np.float32)
    assert read.kinds == head.kinds
    assert np.allclose(
        read.probabilities(["a b", "b c"], states), head.probabilities(["a b", "b c"], states), atol=1e-2
    )
    assert head.probabilities(["a b", "b c"], states).argmax(1).tolist() == [0, 1]


def test_the_shipped_head_loads_and_abstains_on_an_empty_question() -> None:
    with as_file(files("models") / "shipped" / "understanding") as folder:
        head = load_question_head(folder / "understanding.safetensors")
    assert "none" in head.kinds
    assert head.probabilities([""], np.zeros((1, DIM), np.float32)).max() < 0.9
