"""Every write that an API server says that it has answered is counted, and nothing that is none."""

from bench.api_writes import writes_of


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
