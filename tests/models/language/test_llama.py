from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from models.language.llama import LlamaLayers, LlamaShape, Places
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


def in_order(read: int, n: int, length: int) -> Places:
    """`length` tokens behind `read` others, each seeing those before it; states are wanted of all."""
    positions = read + torch.arange(length)
    allowed = torch.arange(read + length) <= positions[:, None]
    return Places(positions.expand(n, -1), allowed.expand(n, -1, -1), torch.arange(length).expand(n, -1))


def test_states_agree_with_transformers_wherever_a_text_is_cut(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (3, 12), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference(ids).last_hidden_state
        for cuts in ((12,), (5, 7), (1, 10, 1)):
            memory, begin = layers.empty(3, 12), 0
            for length in cuts:
                states = layers.read(layers.embed(ids[:, begin : begin + length]), in_order(begin, 3, length), memory)
                assert torch.allclose(states, expected[:, begin : begin + length], atol=1e-5)
                begin += length
            assert memory.filled == 12


def test_only_the_wanted_states_come_back(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (2, 6), generator=torch.Generator().manual_seed(5))
    places = replace(in_order(0, 2, 6), wanted=torch.tensor([[5, 0], [2, 2]]))
    with torch.inference_mode():
        memory = layers.empty(2, 7)
        states = layers.read(layers.embed(ids), places, memory)
        expected = reference(ids).last_hidden_state
        assert torch.allclose(states, expected[torch.tensor([[0], [1]]), places.wanted], atol=1e-5)
        following = layers.read(layers.embed(ids[:, :1]), in_order(6, 2, 1), memory)
        whole = reference(torch.cat([ids, ids[:, :1]], 1)).last_hidden_state[:, -1:]
        assert torch.allclose(following, whole, atol=1e-5)


def test_what_was_read_behind_a_place_can_be_forgotten(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (1, 9), generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        memory = layers.empty(1, 9)
        layers.read(layers.embed(ids), in_order(0, 1, 9), memory)
        memory.filled = 4
        states = layers.read(layers.embed(ids[:, :5]), in_order(4, 1, 5), memory)
        whole = reference(torch.cat([ids[:, :4], ids[:, :5]], 1)).last_hidden_state[:, 4:]
        assert torch.allclose(states, whole, atol=1e-5)


def test_branches_read_at_once_agree_with_reading_each_alone(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    generator = torch.Generator().manual_seed(2)
    prompt, branches = torch.randint(1, 200, (1, 5), generator=generator), (7, 8, 9)
    tree = torch.tensor([[*branches, 11, 12]])  # three branches of one token, two of which go on
    parents = {3: 0, 4: 2}
    places = in_order(0, 1, 10)
    allowed = places.allowed.clone()
    allowed[:, 5:, 5:] = torch.eye(5, dtype=torch.bool)
    for place, parent in parents.items():
        allowed[:, 5 + place, 5 + parent] = True
    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 5, 5, 6, 6]])
    with torch.inference_mode():
        states = layers.read(
            layers.embed(torch.cat([prompt, tree], 1)),
            replace(places, positions=positions, allowed=allowed),
            layers.empty(1, 10),
        )[0, 5:]
        for place, word in enumerate(tree[0].tolist()):
            path = [branches[parents[place]], word] if place in parents else [word]
            alone = reference(torch.cat([prompt, torch.tensor([path])], 1)).last_hidden_state[0, -1]
            assert torch.allclose(states[place], alone, atol=1e-5)


@needs_fbgemm
def test_packed_matrices_stay_closer_to_the_truth_than_bfloat16(reference: LlamaModel) -> None:
    ids = torch.randint(1, 200, (2, 24), generator=torch.Generator().manual_seed(4))
    errors = {}
    with torch.inference_mode():
        expected = reference(ids).last_hidden_state
        for form in (NumberFormat(torch.bfloat16), NumberFormat(torch.float32, packed=True)):
            layers = LlamaLayers(dict(reference.state_dict()), SHAPE, form)
            states = layers.read(layers.embed(ids), in_order(0, 2, 24), layers.empty(2, 24))
            assert states.dtype is form.dtype
            errors[form.packed] = float((states.float() - expected).abs().max())
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
