import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language.llama import KeyValues, LlamaShape
from models.language.prefix_cache import BLOCK, PrefixCache

SHAPE = LlamaShape(width=4, n_layers=2, n_heads=2, n_kv_heads=1, intermediate=4, rope_theta=1e4, norm_eps=1e-5)
prompts = st.lists(st.integers(0, 1), min_size=1, max_size=5 * BLOCK)


def room(rows: int = 1, length: int = 6 * BLOCK) -> KeyValues:
    return KeyValues(SHAPE, rows, length, torch.float32)


def written(ids: list[int], known: int, start: int) -> KeyValues:
    """A row as reading would leave it: what stands at a place follows from all tokens up to it."""
    memory = room()
    for index in range(known, len(ids)):
        memory.tensor[:, :, 0, :, start + index - known] = mark(ids[: index + 1])
    return memory


def mark(ids: list[int]) -> float:
    return float(int("1" + "".join(map(str, ids)), 2))


@settings(max_examples=100, deadline=None)
@given(st.lists(prompts, min_size=1, max_size=12), st.integers(1, 8))
def test_what_is_known_is_what_was_read_for_the_same_beginning(texts: list[list[int]], capacity: int) -> None:
    cache = PrefixCache(capacity)
    for ids in texts:
        known = cache.known(ids)
        assert known % BLOCK == 0
        assert known < len(ids)
        memory = room()
        cache.fill(memory, 0, ids[:known])
        for index in range(known):
            assert (memory.tensor[:, :, 0, :, index] == mark(ids[: index + 1])).all()
        assert (memory.tensor[:, :, 0, :, known:] == 0).all()
        cache.keep(written(ids, known, start=3), 0, ids, known, 3)


def test_a_prompt_read_again_leaves_less_than_a_block_and_one_token() -> None:
    cache = PrefixCache()
    for length in (1, BLOCK, BLOCK + 1, 3 * BLOCK):
        ids = list(range(length))
        cache.keep(written([0] * length, 0, 0), 0, ids, 0, 0)
        assert length - BLOCK <= cache.known(ids) < length


def test_the_least_recently_used_goes_first_and_an_end_before_its_beginning() -> None:
    cache = PrefixCache(capacity=3)
    first, other = [0] * (2 * BLOCK + 1), [1] * (BLOCK + 1)
    for ids in (first, other):
        cache.keep(written(ids, 0, 0), 0, ids, 0, 0)
    cache.fill(room(), 0, first[: cache.known(first)])
    cache.keep(written([0, 1] * BLOCK, 0, 0), 0, [0, 1] * BLOCK, 0, 0)  # two blocks: `other` and an end of `first` go
    assert cache.known(other) == 0
    assert cache.known(first) == BLOCK
