"""What Prometheus reads. Counted from the database, since processes come and go."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from db import session, stats
from tasks.resources import Resources

# Slack gives us 3 seconds; what matters happens far below.
_ACKNOWLEDGED = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)


class Metrics(Collector):
    """This process's acknowledgements, and the state of all jobs, steps and posts."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "threadline_slack_requests",
            "Requests from Slack, by transport and answer.",
            ["transport", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "threadline_slack_ack_seconds",
            "Seconds until such a request was answered.",
            ["transport"],
            buckets=_ACKNOWLEDGED,
            registry=self._registry,
        )
        self._registry.register(self)

    def acknowledged(self, transport: str, status: int, seconds: float) -> None:
        """A request was answered; `transport` is http or socket."""
        self._requests.labels(transport, str(status)).inc()
        self._seconds.labels(transport).observe(seconds)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: registering must not ask the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Read the rows; a database that does not answer shows as `threadline_database_up 0`."""
        up = GaugeMetricFamily("threadline_database_up", "Whether the database answered.")
        try:
            with session.reading(self._resources.engine) as reading:
                counts = stats.counts(reading, self._resources.line.names, self._resources.clock())
        except SQLAlchemyError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *(_family(name, *described) for name, described in counts.items())]


def _family(name: str, help_text: str, labels: list[str], rows: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"threadline_{name}", help_text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family
