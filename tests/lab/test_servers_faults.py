"""The fault proxy does what its script says, to the byte, and counts it: everything else here rests on that."""

import hashlib
import socket
import time

import pytest
import urllib3

from tests.servers.faults import Corrupt, CutAll, Fault, Hang, Reset, Status, Truncate
from tests.servers.images import MANIFEST, Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


LAYER_BYTES = 1 << 20


@pytest.fixture
def image(push: Push) -> PushedImage:
    """Two layers of a little more than 1 MiB."""
    return push(layers=[LAYER_BYTES, LAYER_BYTES])


def blob_url(faults: FaultProxy, image: PushedImage, *, layer: int = 0) -> str:
    """Where the proxy serves one of the image's layers."""
    return f"{faults.url}/v2/{image.repository}/blobs/{image.layers[layer].digest}"


def received(url: str, *, range_start: int = 0) -> tuple[bytes, OSError | None]:
    """Read a body from the bare socket, which loses no byte before an error; return what came and what broke it."""
    place = urllib3.util.parse_url(url)
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", place.port or 80), timeout=20) as client:
            span = f"Range: bytes={range_start}-\r\n" if range_start else ""
            client.sendall(f"GET {place.path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n{span}\r\n".encode())
            while chunk := client.recv(65536):
                received += chunk
    except OSError as error:
        return received.partition(b"\r\n\r\n")[2], error
    return received.partition(b"\r\n\r\n")[2], None


def test_passes_traffic_unharmed_and_counts_every_byte(faults: FaultProxy, image: PushedImage) -> None:
    """Without a fault a body arrives whole, and the count is its size."""
    body, broken_by = received(blob_url(faults, image))

    assert broken_by is None
    assert image.layers[0].digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert image.layers[0].size_bytes == faults.traffic.bytes_of(image.layers[0].digest)
    assert image.layers[0].size_bytes == faults.traffic.blob_bytes()
    assert 1 == len(faults.traffic.requests(Kind.BLOB, method="GET"))


def test_counts_a_resumed_body_from_its_first_byte(faults: FaultProxy, image: PushedImage) -> None:
    """A Range request is known as such, and only what it sends is counted."""
    body, broken_by = received(blob_url(faults, image), range_start=1000)

    assert broken_by is None
    assert image.layers[0].size_bytes - 1000 == len(body) == faults.traffic.bytes_of(image.layers[0].digest)
    assert [1000] == [request.range_start for request in faults.traffic.range_requests()]


def test_answers_a_status_as_often_as_told(faults: FaultProxy, image: PushedImage) -> None:
    """`skip` requests pass, `times` are throttled, then all is well again."""
    faults.add(Fault(Status(429, headers={"Retry-After": "5"}), kind=Kind.MANIFEST, skip=1, times=2))
    url = f"{faults.url}/v2/{image.repository}/manifests/{image.tag}"

    accept = {"Accept": MANIFEST}
    answers = [urllib3.request("GET", url, headers=accept, retries=False, timeout=5) for _ in range(4)]

    assert [200, 429, 429, 200] == [answer.status for answer in answers]
    assert "5" == answers[1].headers["Retry-After"]


@pytest.mark.parametrize("sent_bytes", [0, 1, 300_000])
def test_resets_after_exactly_so_many_bytes(faults: FaultProxy, image: PushedImage, sent_bytes: int) -> None:
    """The peer gets every byte before the reset, and no more."""
    faults.add(Fault(Reset(after_bytes=sent_bytes), reference=image.layers[0].digest))

    body, broken_by = received(blob_url(faults, image))

    assert sent_bytes == len(body) == faults.traffic.bytes_of(image.layers[0].digest)
    assert isinstance(broken_by, ConnectionResetError)


def test_truncates_a_body_in_good_order(faults: FaultProxy, image: PushedImage) -> None:
    """A short body ends by FIN, so the peer can only tell by its length."""
    faults.add(Fault(Truncate(after_bytes=5000), kind=Kind.BLOB))

    body, broken_by = received(blob_url(faults, image))

    assert 5000 == len(body)
    assert broken_by is None


def test_corrupts_one_byte_once(faults: FaultProxy, image: PushedImage) -> None:
    """The first body differs in one byte at the offset, the second is right."""
    faults.add(Fault(Corrupt(offset=70_000), kind=Kind.BLOB))

    first, _ = received(blob_url(faults, image))
    second, _ = received(blob_url(faults, image))

    assert [70_000] == [place for place in range(len(second)) if first[place] != second[place]]
    assert image.layers[0].digest == f"sha256:{hashlib.sha256(second).hexdigest()}"


def test_cuts_every_connection_at_an_exact_total(faults: FaultProxy, image: PushedImage) -> None:
    """`cut_after` counts over requests; the connection that waits for its next request is reset too."""
    waiting = urllib3.HTTPConnectionPool("127.0.0.1", faults.port, maxsize=1, retries=False, timeout=5)
    waiting.request("GET", "/v2/")
    faults.cut_after(image.layers[0].size_bytes + 100)

    first, _ = received(blob_url(faults, image))
    second, broken_by = received(blob_url(faults, image, layer=1))

    assert (image.layers[0].size_bytes, 100) == (len(first), len(second))
    assert isinstance(broken_by, ConnectionResetError)
    assert 1 == faults.cuts
    until(lambda: not faults.connections, what="idle connections ended", timeout_seconds=5)


def test_cuts_half_way_through_the_second_blob(faults: FaultProxy, image: PushedImage) -> None:
    """`skip` chooses the k-th blob, `after_bytes` the place in it."""
    half = image.layers[1].size_bytes // 2
    faults.add(Fault(CutAll(after_bytes=half), kind=Kind.BLOB, skip=1))

    whole, _ = received(blob_url(faults, image))
    part, broken_by = received(blob_url(faults, image, layer=1))

    assert (image.layers[0].size_bytes, half) == (len(whole), len(part))
    assert isinstance(broken_by, ConnectionResetError)


def test_hangs_until_released(faults: FaultProxy, image: PushedImage) -> None:
    """A hanging answer sends nothing, and `release` ends it."""
    faults.add(Fault(Hang(), kind=Kind.BLOB))
    url = blob_url(faults, image)

    with pytest.raises(urllib3.exceptions.TimeoutError):
        urllib3.request("GET", url, retries=False, timeout=0.2)
    faults.release()

    assert 0 == faults.traffic.bytes_of(image.layers[0].digest)
    until(lambda: not faults.connections, what="the hanging connection ended", timeout_seconds=5)


def test_limits_all_bodies_together(faults: FaultProxy, image: PushedImage) -> None:
    """1 MiB at 4 MiB/s takes at least a quarter of a second, and the time series shows the way."""
    faults.limit(4 << 20)
    began = time.monotonic()

    body, _ = received(blob_url(faults, image))
    took_seconds = time.monotonic() - began

    assert len(body) == image.layers[0].size_bytes
    assert took_seconds > 0.9 * len(body) / (4 << 20)
    assert 0 == faults.traffic.blob_bytes(began)
    assert 0 < faults.traffic.blob_bytes(began + took_seconds / 2) < len(body)


def test_refuses_and_accepts_again_on_the_same_port(faults: FaultProxy, image: PushedImage) -> None:
    """After `refuse` nothing listens; after `accept` the same address serves."""
    port = faults.port
    faults.refuse()
    _, refused_by = received(blob_url(faults, image))
    faults.accept()

    body, _ = received(blob_url(faults, image))

    assert isinstance(refused_by, ConnectionRefusedError)
    assert (port, image.layers[0].size_bytes) == (faults.port, len(body))
