"""Which page a document has. Pure."""

from daemon.overview.documents import Document, JobDocument, JobsDocument, ListDocument, NodeDocument
from daemon.overview.jobpage import job_page, list_page
from daemon.overview.jobstable import jobs_page
from daemon.overview.nodepage import node_page
from daemon.overview.page import Page


def page_for(document: Document, *, is_wide: bool) -> Page:
    """Return what a person is shown of a document."""
    match document:
        case JobsDocument():
            return jobs_page(document, is_wide=is_wide)
        case JobDocument():
            return job_page(document, is_wide=is_wide)
        case ListDocument():
            return list_page(document)
        case NodeDocument():
            return node_page(document, is_wide=is_wide)
