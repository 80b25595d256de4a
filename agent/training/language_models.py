"""Training of the models for explanations: question head and narrator. Neither uses the demo data."""

import random
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tokenizers import Tokenizer

from agent.explain.narration import lessons
from agent.explain.questions import QuestionKind
from agent.state.cached_encoder import CachedEncoder
from agent.state.loading import load_encoder
from agent.training.synthetic_facts import random_table, thinned
from models.language.gguf_weights import write_tokenizer
from models.progress import Progress
from models.questions.classifier import save_question_head
from models.registry.base_weights import SMOLLM2, sha256_file
from models.registry.registry import ModelKind, ModelMeta, Registry
from models.registry.versions import CARD, install_deltas
from models.training.cards import OWN_TEXTS, card
from models.training.demo import revision
from models.training.narrator import NarratorExample, NarratorTrainingConfig, save_narrator_delta, train_narrator
from models.training.questions import (
    DATA,
    QuestionTrainingConfig,
    measure_questions,
    read_paraphrases,
    train_questions,
)
from prompts import load_prompt

TABLES: Final = 400  # for each kind of question


def train_text(registry: Registry, kind: ModelKind, version: str, progress: Progress) -> ModelMeta:
    """Train the question head or the narrator and activate it."""
    with TemporaryDirectory() as folder:
        meta = _STEPS[kind](registry, version, Path(folder), progress)
        (Path(folder) / CARD).write_text(card(meta), "utf-8")
        install_deltas(registry, meta, Path(folder))
    registry.activate(kind, version)
    return meta


def narrator_examples() -> list[NarratorExample]:
    """Training examples of the narrator: prompts and texts over random fact tables, each passed by the checker."""
    prompt = load_prompt("explanation", 1)
    found = []
    for kind in QuestionKind:
        for seed in range(1_000, 1_000 + TABLES):  # tests use smaller seeds
            rng = random.Random(seed)  # noqa: S311 - training data, not secrets
            table = thinned(random_table(kind, seed), rng)
            found += [NarratorExample(asked, text) for asked, text in lessons(table, prompt, rng)]
    return found


def _understanding(registry: Registry, version: str, work: Path, progress: Progress) -> ModelMeta:
    config = QuestionTrainingConfig()
    encoder = CachedEncoder(load_encoder(registry, 2))
    progress("understanding", 0.0)
    head = train_questions(read_paraphrases(DATA / "questions.jsonl"), encoder, config)
    save_question_head(head, work / "understanding.safetensors")
    scores = asdict(measure_questions(head, encoder, read_paraphrases(DATA / "questions_held_out.jsonl")))
    metrics = {name: float(value) for name, value in scores.items() if name != "mistakes"}
    meta = _meta(ModelKind.UNDERSTANDING, version, asdict(config), sha256_file(DATA / "questions.jsonl"))
    requires = {ModelKind.ENCODER: registry.active(ModelKind.ENCODER)}
    return meta.model_copy(update={"metrics": metrics, "requires": requires, "base": {}})


def _narrator(_registry: Registry, version: str, work: Path, progress: Progress) -> ModelMeta:
    config = NarratorTrainingConfig()
    write_tokenizer(work / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    net = train_narrator(
        narrator_examples(),
        tokenizer,
        config,
        lambda step, loss: progress(f"narrator, loss {loss:.3f}", step / config.steps),
    )
    save_narrator_delta(net, config, work / "delta.safetensors")
    return _meta(ModelKind.NARRATOR, version, asdict(config), load_prompt("explanation", 1).sha256)


def _meta(kind: ModelKind, version: str, config: dict[str, float], data_sha256: str) -> ModelMeta:
    return ModelMeta(
        kind=kind,
        version=version,
        created_at=datetime.now(UTC),
        trained_on=OWN_TEXTS,
        data_sha256=data_sha256,
        base={"smollm2": SMOLLM2.sha256},
        config=config,
        metrics={},
        requires={},
        git_revision=revision(),
        files={},
    )


_STEPS: Final[dict[ModelKind, Callable[[Registry, str, Path, Progress], ModelMeta]]] = {
    ModelKind.UNDERSTANDING: _understanding,
    ModelKind.NARRATOR: _narrator,
}
