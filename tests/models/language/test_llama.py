from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from models.language.llama import LlamaLayers, LlamaShape, TokenLayout
from models.language.matrix import Matrix, NumberFormat

SHAPE = LlamaShape(width=48, n_layers=3, n_heads=6, n_kv_heads=2, intermediate=96, rope_theta=10_000.0, norm_eps=1e-5)
needs_fbgemm = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="this processor has no packed float16 matrices"
)


@pytest.fixture(scope="module")
def reference() -> LlamaModel:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=SHAPE.width,
        intermediate_size=SHAPE.intermediate,
        num_hidden_layers=SHAPE.n_layers,
        num_attention_heads=SHAPE.n_heads,
        num_key_value_heads=SHAPE.n_kv_heads,
        rope_parameters={"rope_type": "default", "rope_theta": SHAPE.rope_theta},
        rms_norm_eps=SHAPE.norm_eps,
    )
    model = LlamaModel(config)
    model.train(False)
    return model


def in_order(read: int, n: int, length: int) -> TokenLayout:
    """Causal layout of `length` tokens after `read` cached ones; all are outputs."""
    positions = read + torch.arange(length)
    mask = torch.arange(read + length) <= positions[:, None]
    return TokenLayout(positions.expand(n, -1), mask.expand(n, -1, -1), torch.arange(length).expand(n, -1))


def test_states_agree_with_transformers_however_the_text_is_split(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (3, 12), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference(ids).last_hidden_state
        for cuts in ((12,), (5, 7), (1, 10, 1)):
            cache, begin = layers.new_cache(3, 12), 0
            for length in cuts:
                states = layers.forward(layers.embed(ids[:, begin : begin + length]), in_order(begin, 3, length), cache)
                assert torch.allclose(states, expected[:, begin : begin + length], atol=1e-5)
                begin += length
            assert cache.filled == 12


def test_only_the_states_of_outputs_are_returned(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (2, 6), generator=torch.Generator().manual_seed(5))
    layout = replace(in_order(0, 2, 6), outputs=torch.tensor([[5, 0], [2, 2]]))
    with torch.inference_mode():
        cache = layers.new_cache(2, 7)
        states = layers.forward(layers.embed(ids), layout, cache)
        expected = reference(ids).last_hidden_state
        assert torch.allclose(states, expected[torch.tensor([[0], [1]]), layout.outputs], atol=1e-5)
        following = layers.forward(layers.embed(ids[:, :1]), in_order(6, 2, 1), cache)
        whole = reference(torch.cat([ids, ids[:, :1]], 1)).last_hidden_state[:, -1:]
        assert torch.allclose(following, whole, atol=1e-5)


def test_lowering_the_filled_count_discards_later_tokens(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (1, 9), generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        cache = layers.new_cache(1, 9)
        layers.forward(layers.embed(ids), in_order(0, 1, 9), cache)
        cache.filled = 4
        states = layers.forward(layers.embed(ids[:, :5]), in_order(4, 1, 5), cache)
        whole = reference(torch.cat([ids[:, :4], ids[:, :5]], 1)).last_hidden_state[:, 4:]
        assert torch.allclose(states, whole, atol=1e-5)


def test_branches_in_one_pass_agree_with_separate_passes(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    generator = torch.Generator().manual_seed(2)
    prompt, branches = torch.randint(1, 200, (1, 5), generator=generator), (7, 8, 9)
    tree = torch.tensor([[*branches, 11, 12]])  # three branches of one token, two of which go on
    parents = {3: 0, 4: 2}
    layout = in_order(0, 1, 10)
    mask = layout.mask.clone()
    mask[:, 5:, 5:] = torch.eye(5, dtype=torch.bool)
    for place, parent in parents.items():
        mask[:, 5 + place, 5 + parent] = True
    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 5, 5, 6, 6]])
    with torch.inference_mode():
        states = layers.forward(
            layers.embed(torch.cat([prompt, tree], 1)),
            replace(layout, positions=positions, mask=mask),
            layers.new_cache(1, 10),
        )[0, 5:]
        for place, word in enumerate(tree[0].tolist()):
            path = [branches[parents[place]], word] if place in parents else [word]
            alone = reference(torch.cat([prompt, torch.tensor([path])], 1)).last_hidden_state[0, -1]
            assert torch.allclose(states[place], alone, atol=1e-5)


@needs_fbgemm
def test_packed_matrices_have_smaller_errors_than_bfloat16(reference: LlamaModel) -> None:
    ids = torch.randint(1, 200, (2, 24), generator=torch.Generator().manual_seed(4))
    errors = {}
    with torch.inference_mode():
        expected = reference(ids).last_hidden_state
        for number_format in (NumberFormat(torch.bfloat16), NumberFormat(torch.float32, packed=True)):
            layers = LlamaLayers(dict(reference.state_dict()), SHAPE, number_format)
            states = layers.forward(layers.embed(ids), in_order(0, 2, 24), layers.new_cache(2, 24))
            assert states.dtype is number_format.dtype
            errors[number_format.packed] = float((states.float() - expected).abs().max())
    assert 0 < errors[True] < min(0.01, errors[False])


@needs_fbgemm
@pytest.mark.parametrize("shape", [(), (1,), (7, 2), (200, 2)])
def test_a_packed_matrix_multiplies_by_its_weights_in_half_precision(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(len(shape))
    weight, inputs = torch.randn(96, 40, generator=generator), torch.randn(*shape, 40, generator=generator)
    packed = Matrix(weight, NumberFormat(torch.float32, packed=True))(inputs)
    assert packed.shape == (*shape, 96)
    assert torch.allclose(packed, inputs @ weight.half().float().T, atol=1e-4)
    assert torch.equal(Matrix(weight, NumberFormat(torch.float32))(inputs), torch.nn.functional.linear(inputs, weight))
