"""Counters and histograms in the text format of Prometheus."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

MEDIA = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class Metric:
    """Values by their labels."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.values: dict[tuple[str, ...], float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def lines(self) -> Iterator[str]:
        """The text, as it is now."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"
        yield from self.samples()

    def samples(self) -> Iterator[str]:
        """A line for each value."""
        for labels, value in self.values.items():
            yield _sample(self.name, zip(self.labels, labels, strict=True), value)


class Gauge(Metric):
    """What goes up and down."""

    kind = "gauge"

    def set(self, *labels: str, value: float) -> None:
        """Put a new value in place of the old one."""
        self.values[labels] = value


class Histogram(Metric):
    """How many values were how large."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), limits: Sequence[float] = SECONDS) -> None:
        super().__init__(name, text, labels)
        self.limits = limits
        self.buckets: dict[tuple[str, ...], list[int]] = {}

    def observe(self, *labels: str, value: float) -> None:
        """Count a value into its bucket, and add it up."""
        self.add(*labels, amount=value)
        counts = self.buckets.setdefault(labels, [0] * (len(self.limits) + 1))
        counts[bisect_left(self.limits, value)] += 1

    def samples(self) -> Iterator[str]:
        for labels, counts in self.buckets.items():
            named = list(zip(self.labels, labels, strict=True))
            for position, limit in enumerate([*map(str, self.limits), "+Inf"], 1):
                yield _sample(f"{self.name}_bucket", [*named, ("le", limit)], sum(counts[:position]))
            yield _sample(f"{self.name}_sum", named, self.values[labels])
            yield _sample(f"{self.name}_count", named, sum(counts))


def exposition(metrics: Iterable[Metric]) -> str:
    """All of them, one after another."""
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
