"""Ids on the command line are read as at every other door."""

import json

import pytest
import typer
from typer.testing import CliRunner

from agent.cli.main import app
from agent.cli.options import as_id
from agent.domain.records import ShopperRecord
from tests.prepared import World


def test_an_id_is_read_in_its_normal_form() -> None:
    assert as_id("cafe\u0301 \u200b") == "caf\u00e9"
    assert as_id(None) is None
    with pytest.raises(typer.BadParameter, match="control character"):
        as_id("a\x01")


def test_a_shopper_is_exported_and_erased_under_any_form_of_the_id(own: World) -> None:
    service = own.service()
    service.set_shopper(ShopperRecord("bob", {"city": "Ulm"}, personalisation=False))
    service.close()
    folder = ["--data-dir", str(own.folder)]
    told = CliRunner().invoke(app, ["shoppers", "export", "bob\u200b", *folder], catch_exceptions=False)
    assert json.loads(told.stdout)["personalisation"] == "off"
    done = CliRunner().invoke(app, ["shoppers", "erase", " bob ", "--yes", "--json", *folder], catch_exceptions=False)
    assert json.loads(done.stdout)["profile"] == 1
    gone = CliRunner().invoke(app, ["shoppers", "export", "bob", *folder])
    assert gone.exit_code == 2 and "nothing is stored" in gone.output
