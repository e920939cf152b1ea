"""
Splits an image's name into the key of its repository and its tag, by Docker's rules for familiar names.

Pure, and no code of the product's: the two are held against each other.
"""

from typing import Final


_HUB: Final = ("docker.io", "index.docker.io")


def split(image: str) -> tuple[str, str]:
    """Return the repository key and the tag; a digest takes the tag's place, and no tag is latest."""
    name, _, digest = image.partition("@")
    repository, tag = _tagged(name)
    return _familiar(repository), digest or tag


def _tagged(name: str) -> tuple[str, str]:
    head, colon, tail = name.rpartition(":")
    return (head, tail) if colon and "/" not in tail else (name, "latest")


def _familiar(repository: str) -> str:
    first, slash, rest = repository.partition("/")
    if slash and first in _HUB:
        return rest.removeprefix("library/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return repository if is_host else repository.removeprefix("library/")
