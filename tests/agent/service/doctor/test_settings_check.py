from collections.abc import Mapping

import pytest

from agent.service.doctor.finding import Level
from agent.service.doctor.settings_check import check_settings
from agent.service.settings import Settings
from agent.service.settings_reading import known_variables


def test_settings_by_default_are_well() -> None:
    [finding] = check_settings(Settings(), {"PATH": "/bin", "PRICESMITH_PORT": "8000", "PRICESMITH_KEY": "ps_x"})
    assert finding.level is Level.OK
    assert finding.detail.startswith("2 given")


@pytest.mark.parametrize(
    ("environment", "remedy"),
    [
        ({"PRICESMITH_TREADS": "4"}, "did you mean PRICESMITH_THREADS?"),
        ({"PRICESMITH_XYZ": "4"}, "unset it"),
    ],
    ids=["a slip", "no setting"],
)
def test_a_variable_that_nothing_reads_is_a_warning(environment: Mapping[str, str], remedy: str) -> None:
    [finding] = check_settings(Settings(), environment)
    assert finding.level is Level.WARNING
    assert finding.remedy.startswith(remedy)


def test_an_unknown_pack_is_a_problem() -> None:
    [finding] = check_settings(Settings(pack="bakery"), {})
    assert finding.level is Level.PROBLEM
    assert "ecommerce" in finding.remedy


def test_a_setting_that_needs_missing_packages_is_a_problem() -> None:
    settings = Settings(otlp_endpoint="http://127.0.0.1:4318/v1/traces")
    [finding] = check_settings(settings, {}, lambda _name: None)
    assert finding.level is Level.PROBLEM
    assert finding.remedy == "pip install 'pricesmith[tracing]'"


def test_every_field_of_the_settings_is_a_variable() -> None:
    assert {"PRICESMITH_DATA_DIR", "PRICESMITH_DATABASE_URL", "PRICESMITH_KEY"} <= set(known_variables())
