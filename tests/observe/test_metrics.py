"""Figures: what Prometheus reads after what happened."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailsuite.observe.metrics import Metrics


def figures(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, in the order of their names."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_a_session() -> None:
    metrics = Metrics()
    meter = metrics.sessions("pop3", "pop3s")
    meter.opened()
    assert figures(metrics)["mailsuite_sessions_open", "pop3s", "pop3"] == 1
    meter.login("PLAIN", "ok", 0.02)
    meter.login("PLAIN", "ok", 0.03)
    meter.login("APOP", "refused", 2.0)
    meter.transferred(3, 2)
    meter.violation("oversize-command")
    meter.closed(12.0, 100, 5000)
    meter.answered("recipient", 250, "2.1.5")
    meter.answered("recipient", 250, "2.1.5")
    meter.answered("recipient", 450, "4.7.0")
    meter.answered("recipient", 421, "4.7.0")
    found = figures(metrics)
    assert found["mailsuite_answers_total", "recipient", "250", "2.1.5", "pop3"] == 2
    assert found["mailsuite_answers_total", "recipient", "450", "4.7.0", "pop3"] == 1
    assert found["mailsuite_answers_total", "recipient", "421", "4.7.0", "pop3"] == 1
    assert found["mailsuite_sessions_open", "pop3s", "pop3"] == 0
    assert found["mailsuite_sessions_total", "pop3s", "pop3"] == 1
    assert found["mailsuite_logins_total", "PLAIN", "ok", "pop3"] == 2
    assert found["mailsuite_logins_total", "APOP", "refused", "pop3"] == 1
    assert found["mailsuite_login_duration_seconds_count", "pop3"] == 3
    assert found["mailsuite_login_duration_seconds_bucket", "0.025", "pop3"] == 1
    assert found["mailsuite_messages_retrieved_total", "pop3"] == 3
    assert found["mailsuite_messages_deleted_total", "pop3"] == 2
    assert found["mailsuite_violations_total", "oversize-command", "pop3"] == 1
    assert found["mailsuite_received_bytes_total", "pop3"] == 100
    assert found["mailsuite_sent_bytes_total", "pop3"] == 5000
    assert found["mailsuite_session_duration_seconds_bucket", "10.0", "pop3"] == 0
    assert found["mailsuite_session_duration_seconds_bucket", "30.0", "pop3"] == 1


def test_a_listener_that_comes_back_goes_on_counting() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.sessions("pop3", "pop3s").opened()
    metrics.sessions("pop3", "pop3").opened()
    assert figures(metrics)["mailsuite_sessions_total", "pop3s", "pop3"] == 2


def test_refusals() -> None:
    metrics = Metrics()
    metrics.sessions("pop3", "pop3s").refused("banned")
    assert figures(metrics)["mailsuite_connections_refused_total", "pop3s", "banned", "pop3"] == 1


def test_what_others_count_is_looked_up_when_somebody_asks() -> None:
    metrics = Metrics("1.2.3")
    counts = {"sent": 1}
    metrics.gauge("mailsuite_bans", "Bans in force.", lambda: float(len(counts)))
    metrics.counters("mailsuite_notices", "Knocks.", "outcome", lambda: counts)
    metrics.gauges("mailsuite_places", "Places that are taken.", "where", lambda: {"inside": 2.5})
    counts |= {"refused": 2}
    found = figures(metrics)
    assert found["mailsuite_bans",] == 2
    assert found["mailsuite_notices_total", "refused"] == 2
    assert found["mailsuite_places", "inside"] == 2.5
    assert found["mailsuite_build_info", "1.2.3"] == 1


def test_a_name_is_taken_once() -> None:
    metrics = Metrics()
    metrics.gauge("mailsuite_bans", "Bans in force.", lambda: 0.0)
    with pytest.raises(ValueError, match="mailsuite_bans"):
        metrics.gauge("mailsuite_bans", "Again.", lambda: 0.0)


def test_the_process_is_known_and_nothing_has_a_second_series() -> None:
    found = figures(Metrics())
    assert found["process_resident_memory_bytes",] > 0
    assert not [name for name, *_ in found if name.endswith("_created")]


def test_two_servers_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.sessions("pop3", "pop3s").opened()
    assert ("mailsuite_sessions_total", "pop3s", "pop3") not in figures(other)


def test_notices() -> None:
    metrics = Metrics()
    metrics.notices.ended("webhook", "failed")
    metrics.notices.ended("webhook", "ok")
    metrics.notices.told("webhook", 0.003)
    found = figures(metrics)
    assert found["mailsuite_notify_total", "webhook", "failed"] == 1
    assert found["mailsuite_notify_total", "webhook", "ok"] == 1
    assert found["mailsuite_notify_seconds_count", "webhook"] == 1
    assert found["mailsuite_notify_seconds_bucket", "webhook", "0.005"] == 1
    assert found["mailsuite_notify_seconds_bucket", "webhook", "0.001"] == 0
