import json
from pathlib import Path

import grpc
import pytest

from daemon.api.reasons import Reason
from daemon.runtime.classify import call_error, pull_error, reason_of
from daemon.runtime.errors import (
    Absent,
    CallTimeout,
    CriError,
    PullCancelled,
    PullRejected,
    RuntimeDown,
    Unsupported,
)


# What each registry's fault ends in. The messages are beside this file: each was said by a real containerd.
EXPECTED = {
    "blob_401": Reason.UNAUTHORIZED,
    "blob_403": Reason.FORBIDDEN,
    "blob_403_s3": Reason.FORBIDDEN,
    "blob_404": Reason.IMAGE_NOT_FOUND,
    "blob_407": Reason.REGISTRY_UNAVAILABLE,
    "blob_416": Reason.CORRUPT_CONTENT,
    "blob_429": Reason.REGISTRY_THROTTLED,
    "blob_500": Reason.REGISTRY_UNAVAILABLE,
    "blob_502": Reason.REGISTRY_UNAVAILABLE,
    "blob_503": Reason.REGISTRY_UNAVAILABLE,
    "blob_longer": Reason.CORRUPT_CONTENT,
    "blob_reset": Reason.REGISTRY_UNAVAILABLE,
    "blob_shorter_honest": Reason.REGISTRY_UNAVAILABLE,
    "blob_truncated": Reason.REGISTRY_UNAVAILABLE,
    "blob_wrong_bytes": Reason.CORRUPT_CONTENT,
    "conn_refused": Reason.REGISTRY_UNAVAILABLE,
    "dns_unknown_host": Reason.REGISTRY_UNAVAILABLE,
    "enospc": Reason.DISK_FULL,
    "enospc_fetch": Reason.DISK_FULL,
    "index_child_404": Reason.IMAGE_NOT_FOUND,
    "index_empty": Reason.PLATFORM_MISMATCH,
    "index_no_platform": Reason.PLATFORM_MISMATCH,
    "insufficient_scope": Reason.UNAUTHORIZED,
    "invalid_token": Reason.UNAUTHORIZED,
    "layer_not_gzip": Reason.CORRUPT_CONTENT,
    "layer_not_tar": Reason.CORRUPT_CONTENT,
    "layer_strange_type": Reason.PLATFORM_MISMATCH,
    "lease_gone": Reason.CORRUPT_CONTENT,
    "manifest_400": Reason.REGISTRY_UNAVAILABLE,
    "manifest_401": Reason.UNAUTHORIZED,
    "manifest_401_auth": Reason.UNAUTHORIZED,
    "manifest_403": Reason.FORBIDDEN,
    "manifest_404": Reason.IMAGE_NOT_FOUND,
    "manifest_429": Reason.REGISTRY_THROTTLED,
    "manifest_451": Reason.FORBIDDEN,
    "manifest_500": Reason.REGISTRY_UNAVAILABLE,
    "manifest_502": Reason.REGISTRY_UNAVAILABLE,
    "manifest_503": Reason.REGISTRY_UNAVAILABLE,
    "manifest_bad_digest_header": Reason.CORRUPT_CONTENT,
    "manifest_empty": Reason.CORRUPT_CONTENT,
    "manifest_eof": Reason.REGISTRY_UNAVAILABLE,
    "manifest_garbage": Reason.CORRUPT_CONTENT,
    "manifest_html": Reason.IMAGE_NOT_FOUND,
    "manifest_other_than_asked": Reason.CORRUPT_CONTENT,
    "manifest_reset": Reason.REGISTRY_UNAVAILABLE,
    "manifest_wrong_digest_header": Reason.CORRUPT_CONTENT,
    "name_404": Reason.IMAGE_NOT_FOUND,
    "redirect_loop": Reason.REGISTRY_UNAVAILABLE,
    "reference_bad_digest": Reason.INVALID_REFERENCE,
    "reference_long_tag": Reason.INVALID_REFERENCE,
    "reference_url": Reason.INVALID_REFERENCE,
    "refused_by_verifier": Reason.REFUSED_BY_POLICY,
    "schema1": Reason.PLATFORM_MISMATCH,
    "tls_ca_missing": Reason.REGISTRY_TLS,
    "tls_expired": Reason.REGISTRY_TLS,
    "tls_plain_http_server": Reason.REGISTRY_TLS,
    "tls_unknown_authority": Reason.REGISTRY_TLS,
    "tls_wrong_name": Reason.REGISTRY_TLS,
    "token_401_anon": Reason.UNAUTHORIZED,
    "token_401_auth": Reason.UNAUTHORIZED,
    "token_403_auth": Reason.FORBIDDEN,
    "token_429": Reason.REGISTRY_THROTTLED,
    "token_500": Reason.REGISTRY_UNAVAILABLE,
    "token_identity_401": Reason.UNAUTHORIZED,
    "token_ok_then_403": Reason.UNAUTHORIZED,
    "wrong_diff_id": Reason.CORRUPT_CONTENT,
}
# Not a matter of the image: they have tests of their own below.
APART = {"runtime_killed", "reference_upper_case"}

# CRI-O's words, from its sources and its users' reports.
CRIO = (
    ("reading manifest v9 in quay.io/acme/app: manifest unknown", Reason.IMAGE_NOT_FOUND),
    ("reading manifest v9 in quay.io/acme/app: name unknown: repository not found", Reason.IMAGE_NOT_FOUND),
    ("reading manifest v1 in quay.io/acme/app: unauthorized: access to the resource denied", Reason.UNAUTHORIZED),
    ("unable to retrieve auth token: invalid username/password: unauthorized", Reason.UNAUTHORIZED),
    ("reading manifest v1 in docker.io/acme/app: requested access to the resource is denied", Reason.FORBIDDEN),
    ("fetching blob: invalid status code from registry 403 (Forbidden)", Reason.FORBIDDEN),
    ("reading manifest v1: toomanyrequests: You have reached your pull rate limit.", Reason.REGISTRY_THROTTLED),
    ("reading manifest v1: received unexpected HTTP status: 502 Bad Gateway", Reason.REGISTRY_UNAVAILABLE),
    (
        'pinging container registry r.example: Get "https://r.example/v2/": dial tcp 192.0.2.1:443: i/o timeout',
        Reason.REGISTRY_UNAVAILABLE,
    ),
    (
        'pinging container registry r.example: Get "https://r.example/v2/": x509: certificate is not trusted',
        Reason.REGISTRY_TLS,
    ),
    (
        'choosing an image from manifest list docker://app:v1: no image found in image index for architecture "amd64"',
        Reason.PLATFORM_MISMATCH,
    ),
    ("Source image rejected: A signature was required, but no signature exists", Reason.REFUSED_BY_POLICY),
    (
        "SignatureValidationFailed: source image rejected: None of the signatures were accepted",
        Reason.REFUSED_BY_POLICY,
    ),
    (
        'short-name "app" did not resolve to an alias and no unqualified-search registries are defined',
        Reason.INVALID_REFERENCE,
    ),
    ("writing blob: storing blob to file: write /var/tmp/storage1: no space left on device", Reason.DISK_FULL),
    ("reading blob: Digest did not match, expected sha256:11, got sha256:22", Reason.CORRUPT_CONTENT),
    ("copying system image from manifest list: reading blob: unexpected EOF", Reason.REGISTRY_UNAVAILABLE),
)


def _captured() -> list[tuple[str, str, str, str]]:
    """Every captured message as (containerd, case, code, words)."""
    files = sorted(Path(__file__).parent.glob("containerd-*.json"))
    return [
        (file.stem, case, code, words)
        for file in files
        for case, (code, words) in json.loads(file.read_text()).items()
        if case not in APART
    ]


@pytest.mark.parametrize(("containerd", "case", "code", "words"), _captured())
def test_words_of_a_real_containerd_have_their_reason(containerd: str, case: str, code: str, words: str) -> None:
    """Each registry's fault that was tried has a reason, the same on both containerds, and none is PullFailed."""
    error = pull_error(grpc.StatusCode[code], words, shown=words, image=f"localhost/acme/{case}:v1")

    assert isinstance(error, PullRejected)
    assert EXPECTED[case] is error.reason


def test_a_name_that_is_too_long_for_containerd_is_no_reference() -> None:
    """1.6 counts the registry's host among the 255 characters, 2.x does not, so no rule of a manifest can say it."""
    image = f"registry.example:5000/{'a/' * 120}x:v1"
    words = f'failed to parse image reference "{image}": repository name must not be more than 255 characters'

    assert Reason.INVALID_REFERENCE is reason_of(grpc.StatusCode.UNKNOWN, words, image=image)


def test_both_containerds_were_asked_for_every_case() -> None:
    """A case of the table that nobody captured is found."""
    captured = {case for _, case, _, _ in _captured()}

    assert set(EXPECTED) == captured


@pytest.mark.parametrize(("words", "reason"), CRIO)
def test_words_of_crio_have_their_reason(words: str, reason: Reason) -> None:
    """CRI-O's wordings are known too."""
    assert reason is reason_of(grpc.StatusCode.UNKNOWN, words)


@pytest.mark.parametrize("name", ["denied", "429", "toomanyrequests", "no-space-left-on-device", "x509", "status-503"])
def test_a_telling_name_tells_nothing(name: str) -> None:
    """An image, tag or registry that is named like a fault does not become one."""
    image = f"{name}.example/{name}/{name}:{name}"
    words = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'

    assert Reason.IMAGE_NOT_FOUND is reason_of(grpc.StatusCode.NOT_FOUND, words, image=image)


def test_unknown_words_are_pull_failed_and_keep_the_words() -> None:
    """What no table knows is told as it was said."""
    error = pull_error(grpc.StatusCode.UNKNOWN, "failed to frobnicate", shown="failed to frobnicate", image="app:v1")

    assert isinstance(error, PullRejected)
    assert (Reason.PULL_FAILED, "failed to frobnicate", "app:v1") == (error.reason, error.message, error.image)


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Stream removed (Socket closed)", RuntimeDown),
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: ...", RuntimeDown),
        (grpc.StatusCode.UNAVAILABLE, "server is not initialized yet", RuntimeDown),
        (grpc.StatusCode.CANCELLED, "Channel closed!", PullCancelled),
        (grpc.StatusCode.UNIMPLEMENTED, "unknown service runtime.v1.ImageService", Unsupported),
        (
            grpc.StatusCode.UNAVAILABLE,
            'failed to pull and unpack image "a": ref locked for 3s: unavailable',
            PullRejected,
        ),
        (grpc.StatusCode.CANCELLED, 'failed to pull and unpack image "a": context canceled', PullRejected),
    ],
)
def test_the_connection_is_told_from_the_pull(code: grpc.StatusCode, words: str, kind: type[CriError]) -> None:
    """What gRPC says about the socket is no fault of the image, and what the runtime says about the pull is."""
    assert kind is type(pull_error(code, words, shown=words, image="a"))


def test_our_own_ceiling_is_an_attempts_timeout() -> None:
    """A pull that outlives the leak guard ends as a timeout."""
    error = pull_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", shown="Deadline Exceeded", image="a")

    assert isinstance(error, PullRejected)
    assert Reason.ATTEMPT_TIMEOUT is error.reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, RuntimeDown),
        (grpc.StatusCode.CANCELLED, RuntimeDown),
        (grpc.StatusCode.DEADLINE_EXCEEDED, CallTimeout),
        (grpc.StatusCode.UNIMPLEMENTED, Unsupported),
        (grpc.StatusCode.NOT_FOUND, Absent),
        (grpc.StatusCode.INTERNAL, CriError),
    ],
)
def test_other_calls_are_told_by_their_code(code: grpc.StatusCode, kind: type[CriError]) -> None:
    """A unary call's failure has its class and the runtime's words."""
    error = call_error(code, shown="words", image="a")

    assert (kind, "words", "a") == (type(error), error.message, error.image)
