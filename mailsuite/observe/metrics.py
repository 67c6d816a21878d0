"""Figures for Prometheus: counted in memory while mail is served, written as text when somebody asks.

Names follow Prometheus' naming page: the application first, base units, ``_total`` for what only grows. No
label ever names a user or an address, so that their number stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, Literal, TypeVar

import attrs
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailsuite import __version__

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

SESSION_BUCKETS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Seconds: from a check for new mail to an evening's download."""
LOGIN_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""Seconds: from a password that is remembered to one that was wrong and waits for its penalty."""

NOTICE_BUCKETS: Final = (
    *(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3600.0),
)
"""Seconds: from one that goes out at once to one that waits for the end of a quiet time."""

About = Literal["sender", "recipient", "message"]
"""What an answer of SMTP is about."""

disable_created_metrics()  # a second series for every counter, which nobody asks for


@attrs.define(eq=False)
class SessionMeter:
    """Counts the sessions of one listener. What is counted often has its place looked up only once."""

    _metrics: Metrics
    _service: str
    _listener: str
    _open: Gauge = attrs.field(init=False)
    _begun: Counter = attrs.field(init=False)
    _seconds: Histogram = attrs.field(init=False)
    _received: Counter = attrs.field(init=False)
    _sent: Counter = attrs.field(init=False)
    _login_seconds: Histogram = attrs.field(init=False)
    _retrieved: Counter = attrs.field(init=False)
    _deleted: Counter = attrs.field(init=False)
    _logins: dict[tuple[str, str], Counter] = attrs.field(factory=dict, init=False)
    _answers: dict[tuple[str, int, str], Counter] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        metrics, service = self._metrics, self._service
        self._open = metrics.open.labels(service, self._listener)
        self._begun = metrics.begun.labels(service, self._listener)
        self._seconds = metrics.seconds.labels(service)
        self._received = metrics.received.labels(service)
        self._sent = metrics.sent.labels(service)
        self._login_seconds = metrics.login_seconds.labels(service)
        self._retrieved = metrics.retrieved.labels(service)
        self._deleted = metrics.deleted.labels(service)

    def opened(self) -> None:
        """A connection has become a session."""
        self._open.inc()
        self._begun.inc()

    def closed(self, seconds: float, received: int, sent: int) -> None:
        """A session has ended after so long and so many octets."""
        self._open.dec()
        self._seconds.observe(seconds)
        self._received.inc(received)
        self._sent.inc(sent)

    def login(self, mechanism: str, result: str, seconds: float) -> None:
        """A login was judged: ``ok``, ``refused``, ``unavailable``, ``in-use``, ``too-soon``.

        *mechanism* is one that this server knows, never what a client has made up.
        """
        counter = self._logins.get((mechanism, result))
        if counter is None:
            counter = self._metrics.logins.labels(self._service, mechanism, result)
            self._logins[mechanism, result] = counter
        counter.inc()
        self._login_seconds.observe(seconds)

    def answered(self, about: About, code: int, enhanced: str) -> None:
        """A sender, a recipient or a message was taken, put off or refused."""
        counter = self._answers.get((about, code, enhanced))
        if counter is None:
            counter = self._metrics.answers.labels(self._service, about, str(code), enhanced)
            self._answers[about, code, enhanced] = counter
        counter.inc()

    def transferred(self, retrieved: int, deleted: int) -> None:
        """A session has sent so many whole messages, and removed so many."""
        self._retrieved.inc(retrieved)
        self._deleted.inc(deleted)

    def violation(self, kind: str) -> None:
        """A session was closed upon a client that did what no honest client does."""
        self._metrics.violations.labels(self._service, kind).inc()

    def refused(self, reason: str) -> None:
        """A connection was not let in: ``banned``, ``denied``, ``too-many`` ..."""
        self._metrics.refused.labels(self._service, self._listener, reason).inc()


@attrs.define(eq=False)
class NoticeMeter:
    """Counts what users are told, over all ways to tell them."""

    _ended: Counter
    _seconds: Histogram

    def ended(self, channel: str, result: str) -> None:
        """A try ended so: ``ok``, ``failed``, ``refused`` (this notice), ``gone`` (for ever)."""
        self._ended.labels(channel, result).inc()

    def told(self, channel: str, seconds: float) -> None:
        """A notice was handed over so long after the newest that it tells of had happened."""
        self._seconds.labels(channel).observe(seconds)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many tries ended how, by channel."""
        found: dict[str, dict[str, int]] = {}
        for family in self._ended.collect():
            for sample in family.samples:
                by_result = found.setdefault(sample.labels["channel"], {})
                by_result[sample.labels["result"]] = int(sample.value)
        return found


class Metrics:
    """All figures of one server. Cheap to make; nothing is global."""

    def __init__(self, version: str = __version__) -> None:
        self._registry = registry = CollectorRegistry()
        by_listener = ("service", "listener")
        self.open = Gauge(
            "mailsuite_sessions_open", "Sessions that are connected now.", by_listener, registry=registry
        )
        self.begun = Counter(
            "mailsuite_sessions", "Sessions since the start.", by_listener, registry=registry
        )
        self.seconds = Histogram(
            "mailsuite_session_duration_seconds",
            "How long sessions lasted.",
            ("service",),
            registry=registry,
            buckets=SESSION_BUCKETS,
        )
        self.received = Counter(
            "mailsuite_received_bytes", "Octets from clients, inside TLS.", ("service",), registry=registry
        )
        self.sent = Counter(
            "mailsuite_sent_bytes", "Octets to clients, inside TLS.", ("service",), registry=registry
        )
        self.logins = Counter(
            "mailsuite_logins",
            "Logins that were judged.",
            ("service", "mechanism", "result"),
            registry=registry,
        )
        self.login_seconds = Histogram(
            "mailsuite_login_duration_seconds",
            "From the client's proof to the answer; a wrong password waits for its penalty.",
            ("service",),
            registry=registry,
            buckets=LOGIN_BUCKETS,
        )
        self.answers = Counter(
            "mailsuite_answers",
            "What SMTP clients were told about senders, recipients and messages.",
            ("service", "about", "code", "enhanced"),
            registry=registry,
        )
        self.retrieved = Counter(
            "mailsuite_messages_retrieved", "Messages sent whole.", ("service",), registry=registry
        )
        self.deleted = Counter(
            "mailsuite_messages_deleted", "Messages removed by QUIT.", ("service",), registry=registry
        )
        self.violations = Counter(
            "mailsuite_violations",
            "Sessions closed upon clients that broke the rules.",
            ("service", "kind"),
            registry=registry,
        )
        self.refused = Counter(
            "mailsuite_connections_refused",
            "Connections that were not let in.",
            (*by_listener, "reason"),
            registry=registry,
        )
        self.notices = NoticeMeter(
            Counter(
                "mailsuite_notify",
                "Tries to tell users of something.",
                ("channel", "result"),
                registry=registry,
            ),
            Histogram(
                "mailsuite_notify_seconds",
                "From what happened to its being told; of what is told together, from the newest.",
                ("channel",),
                registry=registry,
                buckets=NOTICE_BUCKETS,
            ),
        )
        build = Gauge("mailsuite_build_info", "What runs; always 1.", ("version",), registry=registry)
        build.labels(version).set(1)
        ProcessCollector(registry=registry)

    def sessions(self, service: str, listener: str) -> SessionMeter:
        """What counts the sessions of a listener; one of the same name goes on where another was."""
        return SessionMeter(self, service, listener)

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show what *value* answers whenever somebody asks. Raises ValueError where the name is taken."""

        def fill(family: GaugeMetricFamily) -> None:
            family.add_metric([], value())

        self._registry.register(_Shown(lambda: GaugeMetricFamily(name, meaning, labels=()), fill))

    def counters(self, name: str, meaning: str, label: str, values: Callable[[], Mapping[str, int]]) -> None:
        """Show counts that somebody else keeps, each under its key as *label*. Raises as gauge() does."""

        def fill(family: CounterMetricFamily) -> None:
            for key, count in values().items():
                family.add_metric([key], count)

        self._registry.register(_Shown(lambda: CounterMetricFamily(name, meaning, labels=[label]), fill))

    def gauges(self, name: str, meaning: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        """Show values that go up and down, each under its key as *label*. Raises as gauge() does."""

        def fill(family: GaugeMetricFamily) -> None:
            for key, value in values().items():
                family.add_metric([key], value)

        self._registry.register(_Shown(lambda: GaugeMetricFamily(name, meaning, labels=[label]), fill))

    def text(self) -> bytes:
        """All of it, in the text format that CONTENT_TYPE names."""
        return generate_latest(self._registry)


Family = TypeVar("Family", bound=Metric)


@attrs.frozen(eq=False)
class _Shown(Collector, Generic[Family]):
    """One family that is filled when somebody asks for it."""

    make: Callable[[], Family]
    fill: Callable[[Family], None]

    def describe(self) -> Iterator[Metric]:
        yield self.make()

    def collect(self) -> Iterator[Metric]:
        family = self.make()
        self.fill(family)
        yield family
