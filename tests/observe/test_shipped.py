"""The rules for Prometheus and the dashboard for Grafana that we ship ask for figures that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from mailsuite.admin.notices_figures import show_notices
from mailsuite.admin.queue_figures import QueueFigures
from mailsuite.notices.memory import MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.counters import NotifyCounters
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk

ETC = Path(__file__).parents[2] / "etc"
RULES = ETC / "prometheus" / "mailsuite.rules.yml"
DASHBOARD = ETC / "grafana" / "mailsuite.json"

_NAME = re.compile(r"\b((?:mailsuite|process)_[a-z_]+)\b(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!=|=)\s*"')
FROM_PROMETHEUS = {"instance", "job"}
"""Labels that the scrape adds."""


def samples() -> dict[str, set[str]]:
    """Each sample's name with its labels, after one of everything has happened."""
    metrics = Metrics()
    show_notices(metrics, Book(MemorySubscriptions(), Clock()), NotifyCounters())
    metrics.notices.ended("webhook", "ok")
    metrics.notices.told("webhook", 0.1)
    QueueFigures(MemoryDesk(MemoryQueue()), Clock(), lambda: 0.0, Log()).show(metrics)
    meter = metrics.sessions("pop3", "pop3s")
    meter.opened()
    meter.login("PLAIN", "ok", 0.1)
    meter.violation("oversize-command")
    meter.refused("too-many")
    meter.closed(1.0, 1, 1)
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def expressions(document: Any) -> list[str]:
    """Whatever is asked for anywhere in a dashboard."""
    if isinstance(document, dict):
        found = [document["expr"]] if "expr" in document else []
        return found + [each for value in document.values() for each in expressions(value)]
    return [each for value in document for each in expressions(value)] if isinstance(document, list) else []


def asked() -> list[str]:
    text = "\n".join(line for line in RULES.read_text("utf-8").splitlines() if not line.startswith("#"))
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    variables = [
        each["query"]["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"
    ]
    return [text, *expressions(dashboard), *variables]


def test_every_figure_is_there_with_every_label() -> None:
    there = samples()
    uses = [found for text in asked() for found in _NAME.findall(text)]
    assert len(uses) > 15
    for name, selector in uses:
        assert name in there, name
        assert set(_LABEL.findall(selector)) - FROM_PROMETHEUS <= there[name], (name, selector)


def test_every_grouping_is_by_labels_that_there_are() -> None:
    known = {label for labels in samples().values() for label in labels} | FROM_PROMETHEUS
    for text in asked():
        for labels in re.findall(r"by \(([^)]*)\)", text):
            assert {label.strip() for label in labels.split(",")} <= known


@pytest.mark.parametrize("result", ["unavailable", "refused", "ok"])
def test_the_results_are_those_that_the_front_ends_count(result: str) -> None:
    assert any(f'result="{result}"' in text for text in asked())


def test_the_panels_have_each_a_place_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
