"""The dashboard and the alert rules name metrics, labels and values that the service really has."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from agent.domain.decision import Rung, TrailStep
from agent.service.metrics import Metrics
from tests.agent.store.builders import decision

OPS = Path(__file__).parents[1] / "ops"
LABELS = {"method", "route", "status", "rung", "source", "lever", "rule", "step", "le"}


def exported() -> dict[str, set[str]]:
    """Labels by sample name, after one request and one quote."""
    metrics = Metrics()
    metrics.answered("POST", "/v1/quotes", 200, 0.1)
    metrics.quoted(decision(trail=(TrailStep("floor", 1, 2),), shopper_id="shopper-17", product_id="product-17"))
    text = metrics.exposition().decode()
    assert "shopper-17" not in text
    assert "product-17" not in text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    dashboard = json.loads((OPS / "grafana.json").read_text())
    rules: Any = yaml.safe_load((OPS / "alerts.yaml").read_text())
    drawn = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return drawn + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_every_metric_that_is_drawn_or_alerted_on_is_exported() -> None:
    known = exported()
    named = {name for text in expressions() for name in re.findall(r"\b(?:pricesmith|process)_[a-z_]+", text)}
    assert len(named) >= 6
    assert named - set(known) == set()


def test_every_label_that_is_asked_for_exists() -> None:
    known = exported()
    for text in expressions():
        for name, selectors in re.findall(r"\b(pricesmith_[a-z_]+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)\s*=", selectors)) <= known[name], text
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", text) for label in group.split(", ")}
        assert grouped <= LABELS, text


def test_rungs_that_are_alerted_on_exist() -> None:
    named = {rung for text in expressions() for rung in re.findall(r'rung="(\w+)"', text)}
    assert named <= {rung.value for rung in Rung}


def test_no_metric_has_a_label_of_shoppers_or_products() -> None:
    assert set().union(*exported().values()) <= LABELS


def test_panels_and_rules_say_what_they_are() -> None:
    dashboard = json.loads((OPS / "grafana.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    rules: Any = yaml.safe_load((OPS / "alerts.yaml").read_text())
    for rule in rules["groups"][0]["rules"]:
        assert rule["annotations"].keys() == {"summary", "remedy"}, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
