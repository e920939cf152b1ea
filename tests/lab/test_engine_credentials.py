"""Credentials at a real registry: which is tried, which is enough, and that none is ever seen again."""

import base64
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.credentials.plugin_config import read_plugin_config
from daemon.credentials.plugins import Plugins
from tests.lab.conftest import USERS
from tests.lab.engine import RETRY_SECONDS, Engine, pull_secret, wanted_image
from tests.servers.containerd import Containerd, Hosts
from tests.servers.images import Push
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


@pytest.fixture
def private_faults(private_registry: Registry, hosts: Hosts) -> Iterator[FaultProxy]:
    """A fault proxy before the private registry, which passes credentials on."""
    with FaultProxy(private_registry.url) as proxy:
        hosts.add(proxy.host, proxy.url)
        yield proxy


def users_seen(faults: FaultProxy) -> list[str]:
    """Name who has asked for the manifest, each once, in order."""
    return list(dict.fromkeys(request.user for request in faults.traffic.requests(Kind.MANIFEST) if request.user))


def test_the_right_secret_among_wrong_ones_is_found_in_one_attempt(
    containerd: Containerd, push_private: Push, private_faults: FaultProxy
) -> None:
    """Each fitting credential is tried in order until one is let in; secrets of other registries never are."""
    image = push_private(layers=[1000]).at(private_faults.host)
    secrets = [
        pull_secret("elsewhere", {"registry.example": ("eve", "for another registry")}),
        pull_secret("wrong", {image.host: ("carl", "nobody's")}),
        pull_secret("right", {image.host: ("anna", USERS["anna"])}),
        pull_secret("later", {image.host: ("dora", "never needed")}),
    ]
    wanted = wanted_image(image.reference, secrets=secrets)

    with Engine(containerd.endpoint, secrets=secrets) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.SUCCEEDED, 1, image.digest) == (task.phase, task.attempt, task.digest)
    assert ["carl", "anna"] == users_seen(private_faults)


def test_a_longer_prefix_is_tried_first(containerd: Containerd, push_private: Push, private_faults: FaultProxy) -> None:
    """Two tenants of one registry: the credential of the image's own path comes before that of the host."""
    image = push_private("team/base", layers=[1000]).at(private_faults.host)
    secret = pull_secret("both", {image.host: ("anna", USERS["anna"]), f"{image.host}/team": ("ben", USERS["ben"])})
    wanted = wanted_image(image.reference, secrets=[secret])

    with Engine(containerd.endpoint, secrets=[secret]) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert Phase.SUCCEEDED is task.phase
    assert ["ben"] == users_seen(private_faults)


def test_a_rotated_password_is_used_from_the_next_attempt(
    containerd: Containerd, private_registry: Registry, push_private: Push
) -> None:
    """A registry that takes a password only later lets the retry in: credentials are sought at each attempt."""
    secret = pull_secret("soon", {private_registry.host: ("carl", "soon known")})
    wanted = wanted_image(push_private(layers=[1000]).reference, secrets=[secret])

    with Engine(containerd.endpoint, secrets=[secret]) as engine:
        engine.want(wanted)
        engine.until(wanted, lambda task: task.reason is Reason.UNAUTHORIZED)
        private_registry.set_users({"carl": "soon known"})
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert Phase.SUCCEEDED is task.phase


def test_no_secret_is_ever_seen(containerd: Containerd, push_private: Push, private_faults: FaultProxy) -> None:
    """Neither states, reports, events nor containerd's log and leases hold a password, plain or encoded."""
    image = push_private(layers=[1000]).at(private_faults.host)
    passwords = {"carl": "wrong-p4ssword-of-carl", "anna": USERS["anna"]}
    secrets = [pull_secret(user, {image.host: (user, password)}) for user, password in passwords.items()]
    refused = wanted_image(f"{image.host}/{image.repository}:absent", backoff_limit=1, secrets=secrets)
    brought = wanted_image(image.reference, secrets=secrets)

    with Engine(containerd.endpoint, secrets=secrets, retry_seconds=0) as engine:
        engine.want(brought, refused)
        engine.until_state(lambda state: bool(state.tasks) and all(task.is_ended for task in state.tasks.values()))
        told = engine.story.words()

    told += containerd.process.log.read_text() + str(containerd.leases())
    forms = [base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in passwords.items()]
    assert [] == [form for form in (*passwords.values(), *forms) if form in told]


def plugin(folder: Path, *, image: str, user: str, password: str) -> Plugins:
    """Configure a credential plugin that is a real script: it notes each request and answers with one user."""
    folder.mkdir()
    answer = {
        "kind": "CredentialProviderResponse",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "cacheKeyType": "Image",
        "auth": {image: {"username": user, "password": password}},
    }
    script = folder / "lab-provider"
    script.write_text(f"#!/bin/sh\ncat >> {folder}/requests\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    script.chmod(stat.S_IRWXU)
    provider = {
        "name": script.name,
        "matchImages": [image],
        "defaultCacheDuration": "0s",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    }
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [provider],
    }
    (folder / "config.json").write_text(json.dumps(config))
    found = read_plugin_config(folder / "config.json")
    assert () == found.problems
    return Plugins(found.providers, bin_dir=folder, environ={"PATH": "/usr/bin:/bin"})


def test_a_plugin_runs_while_a_pull_is_in_flight(
    containerd: Containerd,
    push: Push,
    push_private: Push,
    faults: FaultProxy,
    private_faults: FaultProxy,
    workdir: Path,
) -> None:
    """Starting a process between live gRPC calls harms neither: the pull goes on, the plugin's user is let in."""
    slow = push("slow", layers=[1 << 20]).at(faults.host)
    image = push_private(layers=[1000]).at(private_faults.host)
    faults.limit(1 << 20)
    plugins = plugin(workdir / "plugins", image=image.host, user="ben", password=USERS["ben"])
    stalled, asked = wanted_image(slow.reference), wanted_image(image.reference)

    with Engine(containerd.endpoint, plugins=plugins) as engine:
        engine.want(stalled)
        until(lambda: faults.traffic.blob_bytes() > 1 << 19, what="the pull is in flight", timeout_seconds=60)
        faults.limit(1)
        engine.want(stalled, asked)
        answered = engine.ended(asked)
        still = engine.story.states[-1].tasks[stalled.key]
        faults.clear()
        other = engine.ended(stalled)

    assert f"{image.host}/{image.repository}" in (workdir / "plugins/requests").read_text()
    assert (Phase.SUCCEEDED, 1) == (answered.phase, answered.attempt)
    assert Phase.PULLING is still.phase
    assert (Phase.SUCCEEDED, 1) == (other.phase, other.attempt)
    assert ["ben"] == users_seen(private_faults)
