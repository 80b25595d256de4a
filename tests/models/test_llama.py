import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from models.llama import LlamaLayers, LlamaShape
from models.matrix import Matrix, NumberFormat

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


def test_states_agree_with_transformers_for_prompts_of_different_length(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    ids = torch.randint(1, 200, (3, 12), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([12, 7, 1])
    padded = torch.where(torch.arange(12)[None] < lengths[:, None], ids, 0)
    with torch.inference_mode():
        states, _ = layers.prefill(padded, lengths)
        for row, length in enumerate(lengths.tolist()):
            expected = reference(ids[row : row + 1, :length]).last_hidden_state[0, -1]
            assert torch.allclose(states[row], expected, atol=1e-5)


def test_continued_beams_agree_with_reading_everything_at_once(reference: LlamaModel) -> None:
    layers = LlamaLayers(dict(reference.state_dict()), SHAPE)
    generator = torch.Generator().manual_seed(2)
    prompt = torch.randint(1, 200, (2, 9), generator=generator)
    lengths = torch.tensor([9, 5])
    beams = torch.randint(1, 200, (2, 4, 3), generator=generator)  # two prompts, four continuations of three tokens
    embedding = reference.get_input_embeddings()
    with torch.inference_mode():
        _, cache = layers.prefill(prompt, lengths)
        state, beam_cache = layers.step(embedding(beams[:, :, 0]), cache, None)
        state, beam_cache = layers.step(embedding(beams[:, :, 1]), cache, beam_cache)
        kept = torch.tensor([[3, 0], [1, 1]])
        beam_cache = beam_cache.select(kept)
        tokens = torch.gather(beams[:, :, 2], 1, kept)
        state, _ = layers.step(embedding(tokens), cache, beam_cache)
        for row in range(2):
            for slot, beam in enumerate(kept[row].tolist()):
                whole = torch.cat([prompt[row, : lengths[row]], beams[row, beam]])
                expected = reference(whole[None]).last_hidden_state[0, -1]
                assert torch.allclose(state[row, slot], expected, atol=1e-5)


@needs_fbgemm
def test_packed_matrices_stay_closer_to_the_truth_than_bfloat16(reference: LlamaModel) -> None:
    ids = torch.randint(1, 200, (2, 24), generator=torch.Generator().manual_seed(4))
    lengths = torch.tensor([24, 17])
    errors = {}
    with torch.inference_mode():
        expected, _ = LlamaLayers(dict(reference.state_dict()), SHAPE).prefill(ids, lengths)
        for form in (NumberFormat(torch.bfloat16), NumberFormat(torch.float32, packed=True)):
            layers = LlamaLayers(dict(reference.state_dict()), SHAPE, form)
            state, cache = layers.prefill(ids, lengths)
            errors[form.packed] = float((state.float() - expected).abs().max())
            following, _ = layers.step(state[:, None], cache, None)
            assert following.dtype is form.dtype
    assert 0 < errors[True] < min(0.01, errors[False])


@needs_fbgemm
@pytest.mark.parametrize("rows", [1, 7, 200])
def test_a_packed_matrix_multiplies_by_its_weights_in_half_precision(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    weight, inputs = torch.randn(96, 40, generator=generator), torch.randn(rows, 2, 40, generator=generator)
    packed = Matrix(weight, NumberFormat(torch.float32, packed=True))(inputs)
    assert packed.shape == (rows, 2, 96)
    assert torch.allclose(packed, inputs @ weight.half().float().T, atol=1e-4)
    assert torch.equal(Matrix(weight, NumberFormat(torch.float32))(inputs), torch.nn.functional.linear(inputs, weight))
