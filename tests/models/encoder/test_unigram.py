import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from models.encoder.e5_package import e5_tokenizer
from models.encoder.unigram import UnigramTokenizer, is_unigram, padded, read_tokenizer

PIECES = ("▁", "▁milk", "▁query", ":", "m", "i", "l", "k", "▁m", "il", "酸奶", "酸", "奶", "▁a", "a", "ch", "ü", "e")
VOCABULARY = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [
    (piece, -2.0 - 0.37 * number) for number, piece in enumerate(PIECES)
]
TEXTS = (
    "",
    "   ",
    "milk",
    "query: milk  milk\tmilk\n",
    "酸奶 milk酸奶奶",
    "\uff4d\uff49\uff4c\uff4b\u3000\ufb01 \u00bd",
    "zzz 😀😀 milkzz",
    "Bücher ache",
    "▁milk",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    e5_tokenizer(VOCABULARY).save(str(found))
    return found


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("most", [4, 112])
def test_a_text_has_the_same_ids_as_in_the_library(path: Path, text: str, most: int) -> None:
    library = Tokenizer.from_file(str(path))
    library.enable_truncation(most)
    assert UnigramTokenizer(read_tokenizer(path), most).encode(text) == library.encode(text).ids


def test_special_tokens_of_a_text_are_text(path: Path) -> None:
    found = UnigramTokenizer(read_tokenizer(path), 112).encode("milk </s> milk")
    assert found.count(2) == 1


def test_other_tokenizers_stay_with_the_library(path: Path) -> None:
    content = read_tokenizer(path)
    assert is_unigram(content)
    for change in ({"type": "BPE"}, {"byte_fallback": True}, {"unk_id": None}):
        other = json.loads(json.dumps(content))
        other["model"] |= change
        assert not is_unigram(other)


def test_rows_are_filled_up_to_the_longest() -> None:
    ids, mask = padded([[5], [5, 6, 7]], 1)
    assert ids.tolist() == [[5, 1, 1], [5, 6, 7]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]
