import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from models.llama import LlamaLayers, LlamaShape

SHAPE = LlamaShape(width=48, n_layers=3, n_heads=6, n_kv_heads=2, intermediate=96, rope_theta=10_000.0, norm_eps=1e-5)


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


def test_prompts_read_in_f32_keep_closer_to_the_truth_and_continue_in_the_weights_own_type(
    reference: LlamaModel,
) -> None:
    narrow = {name: tensor.bfloat16() for name, tensor in reference.state_dict().items()}
    ids = torch.randint(1, 200, (1, 24), generator=torch.Generator().manual_seed(4))
    lengths = torch.tensor([24])
    with torch.inference_mode():
        rounded = LlamaLayers({name: tensor.float() for name, tensor in narrow.items()}, SHAPE)
        expected, _ = rounded.prefill(ids, lengths)
        errors = {}
        for wide in (False, True):
            layers = LlamaLayers(narrow, SHAPE, wide_prompts=wide)
            state, cache = layers.prefill(ids, lengths)
            errors[wide] = float((state.float() - expected).abs().max())
            following, _ = layers.step(state[:, None], cache, None)
            assert following.dtype is torch.bfloat16
    assert errors[True] < 0.02
    assert errors[True] <= errors[False]
