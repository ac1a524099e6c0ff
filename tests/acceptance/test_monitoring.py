"""The dashboard and the alerts in config/, compared with what /metrics of a daemon really gives."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from blastd.metrics import Metrics
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY

CONFIG = Path(__file__).parents[2] / "config"
SAMPLE = re.compile(r"\bblastd_\w+")
SELECTED = re.compile(r"\b(blastd_\w+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
SCRAPED = {"instance", "job"}
"""Labels that Prometheus adds; `le` is that of buckets."""
WORDS = {
    "absent", "and", "by", "histogram_quantile", "increase", "le", "max", "min", "min_over_time", "on",
    "predict_linear", "rate", "sum", "topk",
}  # fmt: skip
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONFIG / "alerts.yaml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CONFIG / "grafana-dashboard.json").read_text("utf-8"))["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Yield (where, PromQL) of every alert and panel."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.fixture(scope="module")
def exposed(daemon: Daemon) -> dict[str, set[str]]:
    """Sample names with their labels, after a search that completed and one that failed."""
    daemon.run(LAMBDA_QUERY, reuse=False)
    daemon.ended(daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7}, task="blastn")["job_id"])
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(daemon.get("/metrics").text):
        for suffix in SUFFIXES[family.type]:
            found[family.name + suffix] = set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_expression_uses_metrics_that_metrics_gives(exposed: dict[str, set[str]]) -> None:
    assert len(list(expressions())) >= 30
    for where, text in expressions():
        names = set(SAMPLE.findall(text))
        assert names, where
        assert names <= set(exposed), where


def test_every_label_is_one_of_its_metric(exposed: dict[str, set[str]]) -> None:
    declared = {one.name: set(one.labels) for one in Metrics().table}
    labels = {
        name: next(
            own
            for base, own in declared.items()
            if name == base or name.removeprefix(base) in ("_bucket", "_sum", "_count")
        )
        for name in exposed
        if not name.endswith("_created")
    }
    for where, text in expressions():
        for name, inside in SELECTED.findall(text):
            assert set(LABEL.findall(inside)) <= labels[name] | SCRAPED, where
        known = set().union(*(labels[name] for name in SAMPLE.findall(text)))
        for group in GROUPED.findall(text):
            assert {one.strip() for one in group.split(",")} <= known | SCRAPED | {"le"}, where


def test_nothing_but_metrics_and_functions_of_prometheus_stands_in_an_expression() -> None:
    declared = {label for one in Metrics().table for label in one.labels}
    for where, text in expressions():
        bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\bblastd_\w+', " ", text)
        words = set(re.findall(r"[A-Za-z_]\w*", bare))
        assert words <= WORDS | declared | SCRAPED, where


def test_every_metric_of_a_search_on_this_machine_is_really_measured(
    exposed: dict[str, set[str]], daemon: Daemon
) -> None:
    """A metric that nobody sets reads as zero, or as no data, for ever."""
    elsewhere = {"blastd_watch_healthy", "blastd_engine_calls_total", "blastd_engine_call_seconds"}  # of a cluster
    quiet = {"blastd_reconcile_repairs_total", "blastd_reconcile_seconds", "blastd_poller_failures_total"}
    asked_for = {"blastd_webhooks_total"}
    with_samples = {
        line.split("{")[0].split(" ")[0] for line in daemon.get("/metrics").text.splitlines() if line[0] != "#"
    }
    for one in Metrics().table:
        if one.name not in elsewhere | quiet | asked_for:
            assert {one.name + suffix for suffix in ("", "_count")} & with_samples, one.name
    assert exposed["blastd_build_info"] == {"version", "blast_version"}


def test_alerts_say_what_to_do_and_panels_are_found() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
