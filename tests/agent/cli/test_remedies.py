import pytest

from agent.cli.remedies import with_data_dir


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("none; remedy: pricesmith prepare", "none; remedy: pricesmith prepare --data-dir shop"),
        ("pricesmith models activate evaluator v3", "pricesmith models activate --data-dir shop evaluator v3"),
        ("remedy: pricesmith prepare --data-dir demo", "remedy: pricesmith prepare --data-dir demo"),
        ("remedy: pricesmith init shop", "remedy: pricesmith init shop"),
        ("remedy: pip install 'pricesmith[postgres]'", "remedy: pip install 'pricesmith[postgres]'"),
    ],
)
def test_a_command_in_a_remedy_gets_the_folder_of_the_one_that_failed(message: str, typed: str) -> None:
    for given in (["quote", "--data-dir", "shop"], ["quote", "--data-dir=shop"]):
        assert with_data_dir(message, given) == typed
    assert with_data_dir(message, ["quote"]) == message


def test_a_folder_with_a_space_is_quoted() -> None:
    assert with_data_dir("pricesmith prepare", ["--data-dir", "my shop"]) == "pricesmith prepare --data-dir 'my shop'"
