"""Which page a document has. Pure."""

from daemon.overview.documents import (
    Document,
    ImagesDocument,
    JobDocument,
    JobsDocument,
    ListDocument,
    NodeDocument,
    NodesDocument,
)
from daemon.overview.imagespage import images_page
from daemon.overview.jobpage import job_page
from daemon.overview.jobstable import jobs_page
from daemon.overview.listpage import list_page
from daemon.overview.nodepage import node_page
from daemon.overview.nodespage import nodes_page
from daemon.overview.page import Page


def page_for(document: Document, *, is_wide: bool) -> Page:
    """Return what a person is shown of a document."""
    match document:
        case JobsDocument():
            return jobs_page(document, is_wide=is_wide)
        case JobDocument():
            return job_page(document, is_wide=is_wide)
        case ListDocument():
            return list_page(document, is_wide=is_wide)
        case NodeDocument():
            return node_page(document, is_wide=is_wide)
        case NodesDocument():
            return nodes_page(document, is_wide=is_wide)
        case ImagesDocument():
            return images_page(document, is_wide=is_wide)
