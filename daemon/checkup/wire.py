"""What is decoded of Kubernetes' objects, in their own names; objects.py makes of it what is told. Pure."""

import msgspec


class WireMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every object says of itself."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    deletion_timestamp: str = ""


class WireSchema(msgspec.Struct, frozen=True):
    """A schema's properties, and theirs."""

    properties: dict[str, "WireSchema"] | None = None

    def has(self, *path: str) -> bool:
        """Tell whether there is a property of this path."""
        inner = (self.properties or {}).get(path[0])
        return inner is not None and (len(path) == 1 or inner.has(*path[1:]))


class WireValidation(msgspec.Struct, frozen=True):
    """A version's schema."""

    schema: WireSchema = msgspec.field(default=WireSchema(), name="openAPIV3Schema")


class WireCrdVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a CRD."""

    name: str
    served: bool
    storage: bool
    schema: WireValidation = WireValidation()

    @property
    def is_ours(self) -> bool:
        """Whether its schema knows our fields; NodeImages have them in the status alone."""
        return self.schema.schema.has("status", "prewarm")


class WireService(msgspec.Struct, frozen=True):
    """Who serves a webhook."""

    namespace: str
    name: str


class WireClient(msgspec.Struct, frozen=True):
    """Where a webhook is called: a service or a URL."""

    service: WireService | None = None
    url: str = ""


class WireConversionWebhook(msgspec.Struct, frozen=True, rename="camel"):
    """Who turns one version into another."""

    client_config: WireClient | None = None


class WireConversion(msgspec.Struct, frozen=True):
    """How one version becomes another."""

    strategy: str = "None"
    webhook: WireConversionWebhook | None = None


class WireCrdSpec(msgspec.Struct, frozen=True):
    """A CRD's versions, and how one becomes another."""

    versions: list[WireCrdVersion]
    conversion: WireConversion | None = None


class WireCrdStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The versions in which objects may lie."""

    stored_versions: list[str] | None = None


class WireCrd(msgspec.Struct, frozen=True, kw_only=True):
    """A CustomResourceDefinition."""

    metadata: WireMetadata
    spec: WireCrdSpec
    status: WireCrdStatus = WireCrdStatus()


class WireRule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which writes a webhook is asked about."""

    api_groups: list[str] | None = None
    resources: list[str] | None = None


class WireWebhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One webhook of a configuration."""

    name: str
    failure_policy: str = "Fail"
    client_config: WireClient = WireClient()
    rules: list[WireRule] | None = None


class WireConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """A ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""

    metadata: WireMetadata
    webhooks: list[WireWebhook] | None = None


class WireEndpoint(msgspec.Struct, frozen=True):
    """An address behind a service."""

    conditions: dict[str, bool | None] | None = None


class WireEndpointSlice(msgspec.Struct, frozen=True):
    """Some of the addresses behind a service."""

    endpoints: list[WireEndpoint] | None = None


class WireSelector(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which Pods are a workload's."""

    match_labels: dict[str, str] | None = None


class WireContainer(msgspec.Struct, frozen=True):
    """What a container runs."""

    command: list[str] | None = None
    args: list[str] | None = None


class WireContainers(msgspec.Struct, frozen=True):
    """A Pod's containers."""

    containers: list[WireContainer] | None = None


class WireTemplate(msgspec.Struct, frozen=True):
    """What a workload's Pods are made of."""

    spec: WireContainers = WireContainers()


class WireWorkloadSpec(msgspec.Struct, frozen=True):
    """Which Pods a workload has."""

    selector: WireSelector
    template: WireTemplate = WireTemplate()


class WireWorkload(msgspec.Struct, frozen=True):
    """A DaemonSet or Deployment."""

    metadata: WireMetadata
    spec: WireWorkloadSpec


class WirePodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """Where a Pod is."""

    node_name: str = ""


class WirePodStatus(msgspec.Struct, frozen=True):
    """Whether it runs."""

    phase: str = ""


class WirePod(msgspec.Struct, frozen=True):
    """A Pod."""

    metadata: WireMetadata
    spec: WirePodSpec = WirePodSpec()
    status: WirePodStatus = WirePodStatus()


class WireAgent(msgspec.Struct, frozen=True):
    """Who reports for a node."""

    version: str = ""


class WirePrewarm(msgspec.Struct, frozen=True):
    """What is Prewarm's of a NodeImage's status."""

    agent: WireAgent | None = None


class WireNodeImageStatus(msgspec.Struct, frozen=True):
    """What a node says."""

    prewarm: WirePrewarm | None = None


class WireNodeImage(msgspec.Struct, frozen=True):
    """A NodeImage."""

    metadata: WireMetadata
    status: WireNodeImageStatus | None = None
