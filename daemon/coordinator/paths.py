"""Where the objects are that a coordinator reads and writes, by the version of our kinds that the server serves."""

import msgspec

from daemon.api.rules.metadata import GROUP


NODES = "/api/v1/nodes"


class Paths(msgspec.Struct, frozen=True):
    """The paths below the API server's address; `version` is v1beta1 or v1alpha1, `has_lists`: lists are served too."""

    version: str
    has_lists: bool = True

    @property
    def api_version(self) -> str:
        """What objects of ours say of themselves."""
        return f"{GROUP}/{self.version}"

    @property
    def node_images(self) -> str:
        """Every NodeImage."""
        return f"/apis/{GROUP}/{self.version}/nodeimages"

    @property
    def jobs(self) -> str:
        """Every ImagePullJob of every namespace."""
        return f"/apis/{GROUP}/{self.version}/imagepulljobs"

    @property
    def lists(self) -> str:
        """Every ImageListPullJob of every namespace."""
        return f"/apis/{GROUP}/{self.version}/imagelistpulljobs"

    def node_image(self, name: str) -> str:
        """One NodeImage."""
        return f"{self.node_images}/{name}"

    def job(self, namespace: str, *, name: str) -> str:
        """One ImagePullJob."""
        return f"/apis/{GROUP}/{self.version}/namespaces/{namespace}/imagepulljobs/{name}"

    def jobs_in(self, namespace: str) -> str:
        """Every ImagePullJob of a namespace."""
        return f"/apis/{GROUP}/{self.version}/namespaces/{namespace}/imagepulljobs"

    def list(self, namespace: str, *, name: str) -> str:
        """One ImageListPullJob."""
        return f"/apis/{GROUP}/{self.version}/namespaces/{namespace}/imagelistpulljobs/{name}"


def node(name: str) -> str:
    """One Node."""
    return f"{NODES}/{name}"


def pods(namespace: str) -> str:
    """The Pods of a namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"
