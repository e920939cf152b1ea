"""
Which NodeImages a job is for: by name, by label, or all of them; never a Node without a NodeImage.

Pure. podSelector is left out: this manager watches no Pods.
"""

from collections.abc import Mapping, Sequence

from tests.servers.openkruise.manager_job import Expression, Job
from tests.servers.openkruise.manager_nodeimage import NodeImage


def selected(job: Job, *, node_images: Sequence[NodeImage]) -> list[NodeImage]:
    """Return what a job selects, sorted by name; a name without a NodeImage is skipped in silence."""
    return sorted(
        (node_image for node_image in node_images if _fits(job, node_image=node_image)),
        key=lambda node_image: node_image.metadata.name,
    )


def _fits(job: Job, *, node_image: NodeImage) -> bool:
    selector = job.spec.selector
    if selector is None:
        return True
    if selector.names:
        return node_image.metadata.name in selector.names
    labels = node_image.metadata.labels
    has_labels = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return has_labels and all(_meets(labels, expression=each) for each in selector.match_expressions)


def _meets(labels: Mapping[str, str], *, expression: Expression) -> bool:
    is_there, value = expression.key in labels, labels.get(expression.key)
    match expression.operator:
        case "In":
            return is_there and value in expression.values
        case "NotIn":
            return not is_there or value not in expression.values
        case "Exists":
            return is_there
        case _:
            return not is_there
