"""The dashboard and the alerts refer to series that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from service.base import errors_page, generated_page, telemetry_page
from service.base.telemetry import Telemetry
from service.base.telemetry_series import SERIES

OPERATIONS = Path(__file__).parents[3] / "operations"
EXPOSED = {name: series for series in SERIES for name in series.exposed}
ALERTS = yaml.safe_load((OPERATIONS / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
BOARD = json.loads((OPERATIONS / "grafana" / "nextoffer.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where an expression stands, the expression, and the text that is made from its labels."""
    for alert in ALERTS:
        yield alert["alert"], alert["expr"], json.dumps(alert["annotations"])
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def labels_on(name: str) -> set[str]:
    """The labels of a series under the name by which it is scraped; KeyError if there is none."""
    return {*EXPOSED[name].labels, *(["le"] if name.endswith("_bucket") else [])}


def stray_labels(expression: str, legend: str = "") -> set[str]:
    """Labels that an expression selects, groups by or shows, and that one of its series does not have."""
    strays: set[str] = set()
    on_all = {label for series in EXPOSED for label in labels_on(series)}
    for name, selectors in re.findall(r"(nextoffer_\w+)(?:\{([^}]*)\})?", expression):
        on_all &= labels_on(name)
        strays |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", selectors))) - labels_on(name)
    grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
    shown = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", legend))
    return strays | (grouped - on_all) | (shown - on_all)


@pytest.mark.parametrize(("where", "expression", "legend"), list(expressions()))
def test_an_expression_asks_for_series_and_labels_that_exist(where: str, expression: str, legend: str) -> None:
    assert "nextoffer_" in expression, where
    assert stray_labels(expression, legend) == set(), where


def test_a_series_or_label_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(KeyError):
        stray_labels("sum(rate(nextoffer_requests[5m]))")
    with pytest.raises(KeyError):
        stray_labels("nextoffer_request_seconds")
    assert stray_labels('nextoffer_requests_total{status=~"5..", source="="}') == {"source"}
    assert stray_labels("sum by (source) (nextoffer_degraded_answers_total) / sum(nextoffer_answers_total)") == {
        "source"
    }
    assert stray_labels("sum by (le) (nextoffer_request_seconds_sum)") == {"le"}
    assert stray_labels("nextoffer_live_sequence", "{{worker}}") == {"worker"}


def test_every_series_is_on_the_board() -> None:
    shown = {
        name for panel in PANELS for target in panel["targets"] for name in re.findall(r"nextoffer_\w+", target["expr"])
    }

    assert {series.name for series in SERIES} == {EXPOSED[name].name for name in shown}


def test_panels_do_not_overlap() -> None:
    places = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in BOARD["panels"]
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]

    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    file, _, name = alert["annotations"]["runbook"].partition(", ")

    assert alert["labels"]["severity"] in ("warning", "critical")
    assert alert["annotations"]["summary"].endswith(".")
    assert (file, f"`{name}`" in telemetry_page.page()) == ("docs/telemetry.md", True)


def test_every_series_is_exposed_under_the_names_that_the_page_gives() -> None:
    telemetry = Telemetry()
    telemetry.show_artifact("v", 0.0)
    for series, metric in zip(SERIES, telemetry.registry.collect(), strict=True):
        if series.labels:
            continue
        assert {sample.name for sample in metric.samples} >= set(series.exposed)


@pytest.mark.parametrize(
    ("name", "text"), [("docs/telemetry.md", telemetry_page.page()), ("docs/errors.md", errors_page.page())]
)
def test_a_page_is_current_and_a_change_would_be_noticed(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert generated_page.write_or_check(name, text, "module", ["--check"]) == 0

    monkeypatch.setattr(generated_page, "ROOT", tmp_path)

    assert generated_page.write_or_check(name, text, "module", ["--check"]) == 1
    assert generated_page.write_or_check(name, text, "module", []) == 0
    assert (tmp_path / name).read_text(encoding="utf-8") == text


def test_every_series_says_what_to_do_about_it() -> None:
    assert all(series.help.endswith(".") and series.action.endswith(".") for series in SERIES)
