"""
What `prewarm check` found, as a program reads it with -o json: fields are only ever added.

Null stands for what could not be read, and a sentence in `notes` says why; nothing is guessed in its place. Pure.
"""

from datetime import datetime

import msgspec


class Crd(msgspec.Struct, frozen=True, kw_only=True):
    """
    One of the three kinds' CustomResourceDefinitions.

    Attributes:
        name: its plural, such as imagepulljobs.
        is_ours: its schema knows Prewarm's fields; OpenKruise's drops them.
        has_label: it carries Prewarm's label, by which it is kept when the software goes.
        served: the versions that the API server speaks.
        storage: the version in which objects are written.
        stored: the versions in which objects may still lie (status.storedVersions).
        is_deleting: somebody has deleted it, and its objects go.
        converter: NAMESPACE/NAME of the service, or the URL, that turns one version into another; "" for none.
        is_converted: whether anybody stands behind it; None where there is none, or it can't be told.
    """

    name: str
    is_ours: bool
    has_label: bool
    served: tuple[str, ...]
    storage: str
    stored: tuple[str, ...]
    is_deleting: bool = False
    converter: str = ""
    is_converted: bool | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """
    A webhook that the API server asks about writes of the three kinds.

    Attributes:
        configuration: the object that it stands in; `type` is Validating or Mutating.
        name: its own.
        kinds: about which of the three.
        failure_policy: Fail refuses a write while it does not answer.
        service: NAMESPACE/NAME, or its URL.
        answers: whether anybody stands behind it; None where that can't be told.
    """

    configuration: str
    type: str
    name: str
    kinds: tuple[str, ...]
    failure_policy: str
    service: str
    answers: bool | None = None


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """
    Who leads by a Lease.

    Attributes:
        lease: NAMESPACE/NAME.
        holder: whom it names, "" for nobody.
        state: renewed, silent (not renewed for as long as its holder promises), undecided, or nobody.
    """

    lease: str
    holder: str = ""
    state: str = "nobody"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an ImagePullJob that was created as a dry run: `outcome`, the webhook that spoke, its words."""

    outcome: str
    webhook: str = ""
    message: str = ""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """
    A DaemonSet or Deployment.

    Attributes:
        name: its own; `namespaces` those it is in, none where there is none.
        pods: how many of its Pods run; None where they could not be read.
        is_coordinating: its Pods lead, or stand by to lead.
    """

    name: str
    namespaces: tuple[str, ...] = ()
    pods: int | None = 0
    is_coordinating: bool = False


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the agent, and on how many nodes it is."""

    version: str
    nodes: int


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which nodes have who pulls, of all that have a NodeImage.

    Attributes:
        total: NodeImages of Nodes.
        with_agent: those where an agent of Prewarm's has reported, or runs.
        with_neither: those with no such agent, nor kruise-daemon; None where the DaemonSets could not be read.
        neither: the first ten names of these.
        versions: of the agents, the most frequent first; "" is one that has not said.
    """

    total: int
    with_agent: int
    with_neither: int | None
    neither: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that was read of a cluster; None is what could not be.

    Attributes:
        crds: the CRDs that are there.
        served: the kinds that the API server serves, each with the version that Prewarm speaks of it.
        webhooks: those about the three kinds.
        manager: OpenKruise's Lease.
        coordinator: Prewarm's Lease.
        creation: what becomes of a new job.
        agents: Prewarm's DaemonSet.
        coordinators: Prewarm's Deployment.
        kruise_daemons: OpenKruise's DaemonSet.
        shared: the nodes on which both daemons run.
        nodes: which nodes have an agent.
        has_secret_namespace: whether the namespace of the secret copies is there.
    """

    crds: tuple[Crd, ...] | None = None
    served: dict[str, str] = {}
    webhooks: tuple[Webhook, ...] | None = None
    manager: Holder | None = None
    coordinator: Holder | None = None
    creation: Trial | None = None
    agents: Workload | None = None
    coordinators: Workload | None = None
    kruise_daemons: Workload | None = None
    shared: tuple[str, ...] | None = None
    nodes: Nodes | None = None
    has_secret_namespace: bool | None = None


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to do something: what it comes to, and its command, which is "" where there is none."""

    what: str
    command: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do: why, and the ways, of which one is enough."""

    why: str
    ways: tuple[Way, ...] = ()


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True):
    """
    The answer of `prewarm check`.

    Attributes:
        kind: Check.
        time: when it was made.
        server: the API server's address.
        row: the combination, one word of a closed list.
        title: the combination in a few words.
        summary: what it means here, in a sentence or two.
        steps: what to do; none where there is nothing to do.
        facts: what was read.
        notes: what could not be read, and why.
    """

    time: datetime
    server: str
    row: str
    title: str
    summary: str
    steps: tuple[Step, ...]
    facts: Facts
    notes: tuple[str, ...] = ()
    kind: str = "Check"
