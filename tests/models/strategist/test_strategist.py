from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models.language.llama import LlamaLayers, LlamaShape
from models.strategist.numeric_head import NumericHead
from models.strategist.proposals import ProposalRequest
from models.strategist.strategist import Strategist
from models.strategist.strategy import Anchor, Lever
from models.strategist.tokens import VOCABULARY

SHAPE = LlamaShape(width=24, n_layers=2, n_heads=4, n_kv_heads=2, intermediate=48, rope_theta=10_000.0, norm_eps=1e-5)
WORDS = ["[UNK]", "cost", "stock", "deep", "none", "percent", "53", "+9", "rival", "elasticity", "strategy", ":"]


def tiny(seed: int) -> Strategist:
    """A strategist of the real architecture with random weights."""
    tensors, heads = tiny_weights(seed)
    numbers = NumericHead(16)
    generator = torch.Generator().manual_seed(seed)
    for parameter in numbers.parameters():
        parameter.data = 0.2 * torch.randn(*parameter.shape, generator=generator)
    return Strategist(LlamaLayers(tensors, SHAPE), heads, numbers, tiny_tokenizer(), f"tiny-{seed}")


def tiny_tokenizer() -> Tokenizer:
    """Tokenizer of a dozen words."""
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


def tiny_weights(seed: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Random layers, and the strategy tokens' embedding and head."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.2

    kv = SHAPE.n_kv_heads * SHAPE.head_dim
    tensors = {"embed_tokens.weight": random(len(WORDS), SHAPE.width), "norm.weight": torch.ones(SHAPE.width)}
    for layer in range(SHAPE.n_layers):
        for name, rows, columns in (
            ("self_attn.q_proj", SHAPE.width, SHAPE.width),
            ("self_attn.k_proj", kv, SHAPE.width),
            ("self_attn.v_proj", kv, SHAPE.width),
            ("self_attn.o_proj", SHAPE.width, SHAPE.width),
            ("mlp.gate_proj", SHAPE.intermediate, SHAPE.width),
            ("mlp.up_proj", SHAPE.intermediate, SHAPE.width),
            ("mlp.down_proj", SHAPE.width, SHAPE.intermediate),
        ):
            tensors[f"layers.{layer}.{name}.weight"] = random(rows, columns)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"layers.{layer}.{norm}.weight"] = torch.ones(SHAPE.width)
    return tensors, {"embedding": random(VOCABULARY, SHAPE.width), "head": random(VOCABULARY, SHAPE.width) * 10}


_requests = st.builds(
    ProposalRequest,
    st.lists(st.sampled_from(WORDS[1:]), min_size=1, max_size=30).map(" ".join),
    st.frozensets(st.sampled_from(Lever)),
    st.frozensets(st.sampled_from(Anchor)).map(lambda anchors: anchors | {Anchor.REFERENCE}),
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.lists(_requests, min_size=1, max_size=4))
def test_strategies_are_valid_possible_and_distinct_for_any_weights(seed: int, requests: list[ProposalRequest]) -> None:
    for request, written in zip(requests, tiny(seed).propose(requests), strict=True):
        assert 1 <= len(written) <= 8
        assert len({item.strategy for item in written}) == len(written)
        for item in written:  # Strategy's own check ran when it was made
            assert item.strategy.lever in request.levers | {Lever.HOLD}
            assert item.strategy.anchor in request.anchors


@settings(max_examples=15, deadline=None)
@given(st.lists(_requests, min_size=2, max_size=4))
def test_a_request_gets_the_same_strategies_alone_and_in_a_batch(requests: list[ProposalRequest]) -> None:
    model = tiny(1)
    together = model.propose(requests)
    for request, batched in zip(requests, together, strict=True):
        alone = model.propose([request])[0]
        assert [item.strategy for item in alone] == [item.strategy for item in batched]


def test_eight_strategies_are_returned_when_the_grammar_allows_as_many() -> None:
    request = ProposalRequest("cost 53 percent", frozenset(Lever), frozenset(Anchor))
    assert len(tiny(2).propose([request])[0]) == 8


@pytest.mark.parametrize("levers", [frozenset(), frozenset({Lever.HOLD}), frozenset({Lever.MATCH_COMPETITOR})])
def test_hold_is_always_possible(levers: frozenset[Lever]) -> None:
    request = ProposalRequest("stock deep", levers, frozenset({Anchor.REFERENCE}))
    assert [item.strategy.lever for item in tiny(3).propose([request])[0]] == [Lever.HOLD]


def test_a_lever_with_one_move_scores_no_higher_than_an_equally_likely_one_with_many() -> None:
    model = tiny(4)
    logits = torch.zeros(VOCABULARY, SHAPE.width)
    model._head, model._numbers = logits, NumericHead(16)  # every lever and every move is equally likely
    written = model.propose([ProposalRequest("stock deep", frozenset({Lever.DISCOUNT}), frozenset(Anchor))])[0]
    assert [item.score for item in written] == pytest.approx([written[0].score] * len(written))


def test_strategies_are_sorted_by_score() -> None:
    written = tiny(4).propose([ProposalRequest("stock deep", frozenset(Lever), frozenset(Anchor))])[0]
    key: Callable[[int], float] = lambda index: written[index].score  # noqa: E731
    assert all(key(index) >= key(index + 1) for index in range(len(written) - 1))


@settings(max_examples=15, deadline=None)
@given(st.lists(_requests, min_size=1, max_size=6))
def test_the_prefix_cache_changes_no_strategy(requests: list[ProposalRequest]) -> None:
    model = tiny(2)
    for request in requests:
        model.propose([request])
    for request in requests:
        longer = ProposalRequest(f"{request.prompt} cost 53 percent", request.levers, request.anchors)
        fresh, again = tiny(2).propose([longer])[0], model.propose([longer])[0]
        assert [item.strategy for item in again] == [item.strategy for item in fresh]
        assert [item.score for item in again] == pytest.approx([item.score for item in fresh], abs=1e-4)
