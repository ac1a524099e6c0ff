"""The table of metrics."""

import re
from pathlib import Path

from blastd.metrics import Metrics


def test_names_follow_one_pattern_and_counters_end_in_total() -> None:
    for metric in Metrics().table:
        assert re.fullmatch(r"blastd_[a-z]+(_[a-z]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.meaning.endswith(".")


def test_labels_are_closed_sets_and_never_ids() -> None:
    for metric in Metrics().table:
        assert not {label for label in metric.labels if label.endswith("id") or label in {"owner", "path", "title"}}


def test_render_gives_what_was_counted() -> None:
    metrics = Metrics()
    metrics.requests.labels("/api/blast/jobs", "GET", "200").inc()
    text, kind = metrics.render()
    assert b'blastd_http_requests_total{method="GET",route="/api/blast/jobs",status="200"} 1.0' in text
    assert kind.startswith("text/plain")
    assert metrics.render("application/openmetrics-text;version=1.0.0")[0].endswith(b"# EOF\n")


def test_two_daemons_in_one_process_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.poller_failures.inc()
    assert b"blastd_poller_failures_total 0.0" in other.render()[0]


def test_the_table_of_the_docs_is_this_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    between = text.partition("<!-- metrics:")[2].partition("-->\n")[2].partition("<!-- end of metrics -->")[0]
    assert between == Metrics().markdown(), "run 'python -m blastd.metrics' and put its output there"
