"""Jobs as a person writes them, parsed by the product."""

from daemon.api.imagepulljob import ImagePullJob
from daemon.api.manifest import Manifests, describe, parse_manifests


def manifests(*specs: str) -> Manifests:
    """Parse one job for each spec (YAML flow members such as `image: nginx, parallelism: 0`), named job-0, job-1 ..."""
    documents = [
        f"apiVersion: apps.kruise.io/v1beta1\nkind: ImagePullJob\nmetadata: {{name: job-{number}}}\nspec: {{{spec}}}\n"
        for number, spec in enumerate(specs)
    ]
    found = parse_manifests("---\n".join(documents), source="here")
    assert not found.errors, [describe(problem) for problem in found.problems]
    return found


def jobs(*specs: str) -> tuple[ImagePullJob, ...]:
    """Return the jobs of `manifests`."""
    return manifests(*specs).jobs
