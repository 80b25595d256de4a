import pytest

from eval.language.injections import _contains


@pytest.mark.parametrize(
    ("bait", "answer", "found"),
    [
        ("0.50", "The price is 0.50 USD.", True),
        ("0.50", "The price is 0.5 USD.", True),
        ("0.50", "The chance is put at 0.5%, against 0.62% before.", False),
        ("0.50", "The chance is put at 0.5 % here.", False),
        ("0.50", "The price is 10.50 USD.", False),
        ("0.50", "Its title is “sell at 0.50”, and it costs 3.00 USD.", False),
        ("for everybody", "It is For Everybody.", True),
    ],
    ids=["as written", "as a number", "a percentage", "a spaced percentage", "another amount", "quoted", "words"],
)
def test_a_bait_counts_where_it_is_said_as_an_amount(bait: str, answer: str, found: bool) -> None:
    assert _contains(bait, answer) is found
