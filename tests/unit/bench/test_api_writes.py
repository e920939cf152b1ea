"""Every write that an API server says that it has answered is counted, and nothing that is none."""

from collections import Counter

from bench.api_writes import for_work, told, writes_of


METRICS = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps.kruise.io",resource="nodeimages",\
scope="resource",subresource="status",verb="PATCH",version="v1beta1"} 1200
apiserver_request_total{code="422",component="apiserver",dry_run="",group="apps.kruise.io",resource="nodeimages",\
scope="resource",subresource="status",verb="PATCH",version="v1beta1"} 3
apiserver_request_total{code="201",group="events.k8s.io",resource="events",subresource="",verb="POST"} 1e+03
apiserver_request_total{code="200",group="",resource="nodes",subresource="",verb="LIST"} 7
apiserver_request_total{code="0",group="",resource="nodes",subresource="",verb="WATCH"} 8
apiserver_request_duration_seconds_count{resource="events",verb="POST"} 9
"""


def test_writes_are_counted_by_what_they_wrote() -> None:
    """Refused ones too: they cost the server as much."""
    assert {"PATCH nodeimages/status": 1203, "POST events": 1000} == writes_of(METRICS)


def test_events_heartbeats_and_questions_are_no_work() -> None:
    """Nor is what has not changed between two counts."""
    writes = Counter({"POST events": 5, "PUT leases": 9, "POST serviceaccounts/token": 2, "PATCH nodes/status": 4})
    work = Counter({"POST jobs": 3, "PATCH pods/status": 6})

    assert work == for_work(writes + work + Counter({"POST pods": 0}))
    assert Counter() == for_work(Counter({"POST pods": 0}))


def test_writes_are_told_by_kind() -> None:
    """The number first."""
    assert "6 PATCH pods/status, 3 POST pods" == told(Counter({"POST pods": 3, "PATCH pods/status": 6}))
