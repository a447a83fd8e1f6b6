"""Figures in the text format of Prometheus."""

from gateway.metrics import Gauge, Histogram, Metric, exposition


def test_counters_gauges_and_histograms_are_written_as_prometheus_reads_them() -> None:
    requests = Metric("requests_total", "Requests.", ("route", "status"))
    requests.add("/graphql", "200")
    requests.add("/graphql", "200")
    requests.add('/a"b\\c\n', "404")
    seconds = Histogram("seconds", "How long.", ("route",), (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        seconds.observe("/graphql", value=value)
    open_ = Gauge("open", "Open.")
    open_.set(value=3)
    assert exposition([requests, seconds, open_]).splitlines() == [
        "# HELP requests_total Requests.",
        "# TYPE requests_total counter",
        'requests_total{route="/graphql",status="200"} 2',
        'requests_total{route="/a\\"b\\\\c\\n",status="404"} 1',
        "# HELP seconds How long.",
        "# TYPE seconds histogram",
        'seconds_bucket{route="/graphql",le="0.1"} 2',
        'seconds_bucket{route="/graphql",le="1.0"} 3',
        'seconds_bucket{route="/graphql",le="+Inf"} 4',
        'seconds_sum{route="/graphql"} 7.65',
        'seconds_count{route="/graphql"} 4',
        "# HELP open Open.",
        "# TYPE open gauge",
        "open 3",
    ]
