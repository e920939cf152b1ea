"""
What the job of a listed image is called: the same each time, so that none is made twice, and told by a person.

Pure. `<list>-<the image's last part and tag>-<eight characters of its text's digest>`: two texts of one image are two
jobs, as they are two lines of the list.
"""

import hashlib
import re
from typing import Final


LONGEST_NAME: Final = 253
"""A DNS subdomain's (RFC 1123), as Kubernetes bounds a custom resource's name."""
LONGEST_SLUG: Final = 63

_MARK_LENGTH: Final = 8
_DIGEST_SHOWN: Final = 12
_OTHERS: Final = re.compile(r"[^a-z0-9]+")


def job_name(list_name: str, *, image: str) -> str:
    """Return the name of an image's job in a list."""
    slug = slug_of(image)
    room = LONGEST_NAME - len(slug) - _MARK_LENGTH - 2
    if len(list_name) <= room:
        return f"{list_name}-{slug}-{_mark(image)}"
    # Two lists whose long names differ in what is cut off only.
    return f"{list_name[:room].rstrip('-.')}-{slug}-{_mark(f'{list_name} {image}')}"


def slug_of(image: str) -> str:
    """Return an image's last part and tag, as a name may have them; of a digest the first characters."""
    text, _, digest = image.partition("@")
    last = text.rpartition("/")[2]
    if digest and ":" not in last:
        last = f"{last}-{digest.partition(':')[2][:_DIGEST_SHOWN]}"
    slug = _OTHERS.sub("-", last.lower()).strip("-")
    return slug[:LONGEST_SLUG].strip("-") or "image"


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_LENGTH]
