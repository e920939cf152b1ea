"""
Image references: parse, normalise, join, compare.

A job, a NodeImage and a runtime write the same image in different ways (`nginx`, `docker.io/library/nginx:latest`).
Here they become one value, by the rules of the distribution project's reference grammar, which containerd, CRI-O and
the kubelet share (https://github.com/distribution/reference). Whether an image exists is for the runtime to say.
"""

import json
import re
from collections.abc import Iterable

import msgspec


_DOCKER_HUB = "docker.io"
_DOCKER_HUB_LEGACY = "index.docker.io"
_OFFICIAL = "library/"
_PATH_LENGTH_MAX = 255
_DIGEST_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

_DOMAIN_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PATH_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_PATH_FOREIGN = re.compile(r"[^a-z0-9._/-]")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LOWER_HEX = re.compile(r"[0-9a-f]+")
_BARE_ID = re.compile(r"[0-9a-f]{64}")
_QUOTED_LENGTH_MAX = 100


class InvalidReference(ValueError):
    """An image reference that no runtime would accept; the message says which part and why."""


class ImageReference(msgspec.Struct, frozen=True, kw_only=True):
    """
    A normalised image reference.

    `domain` is the registry's host with its port ("docker.io", "registry:5000", "[::1]:5000"), `path` the repository
    there ("library/nginx"). At least one of `tag` and `digest` ("sha256:...") is set; where both are, the digest
    decides and the tag is only remembered.
    """

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """
        The repository as people write it, which is a NodeImage's key: docker.io/ and library/ are left out.

        They stay where the shorter form would be read as something else (docker.io/localhost/app).
        """
        if self.domain != _DOCKER_HUB:
            return self.repository_full
        short = self.path.removeprefix(_OFFICIAL)
        for name in (short if "/" not in short else self.path, self.path):
            if not _BARE_ID.fullmatch(name) and _split_domain(name) == (self.domain, self.path):
                return name
        return self.repository_full

    @property
    def repository_full(self) -> str:
        """The repository with its registry: docker.io/library/nginx."""
        return f"{self.domain}/{self.path}"

    @property
    def tag_or_digest(self) -> str:
        """The digest if there is one, else the tag: what a NodeImage's tag entry holds."""
        return self.digest or self.tag

    @property
    def full(self) -> str:
        """The reference to hand to a runtime: docker.io/library/nginx:1.9, or with @ and the digest alone."""
        return f"{self.repository_full}{self._suffix}"

    @property
    def familiar(self) -> str:
        """The reference to show to a person: nginx:1.9."""
        return f"{self.repository}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return f"@{self.digest}" if self.digest else f":{self.tag}"


def parse_reference(text: str) -> ImageReference:
    """
    Parse and normalise an image reference; without tag and digest its tag is "latest".

    Raises:
        InvalidReference: a runtime would refuse it; the message names the part.

    """
    name, tag, digest = _split(text)
    domain, path = _parse_name(name)
    if tag is not None:
        _check_tag(tag)
    if digest is not None:
        _check_digest(digest)
    default_tag = "latest" if digest is None else ""
    return ImageReference(domain=domain, path=path, tag=tag or default_tag, digest=digest or "")


def join(repository: str, tag_or_digest: str) -> ImageReference:
    """
    Make the reference of a NodeImage's entry from its repository key (familiar or long) and its tag or digest.

    Raises:
        InvalidReference: the key is no repository alone, or the other neither a tag nor a digest.

    """
    name, tag, digest = _split(repository)
    if tag is not None or digest is not None:
        raise InvalidReference(f"repository {_quoted(repository)} must have no tag and no digest of its own")
    domain, path = _parse_name(name)
    if ":" in tag_or_digest:
        _check_digest(tag_or_digest)
        return ImageReference(domain=domain, path=path, digest=tag_or_digest)
    _check_tag(tag_or_digest)
    return ImageReference(domain=domain, path=path, tag=tag_or_digest)


def same_image(reference: ImageReference, *, repo_tags: Iterable[str], repo_digests: Iterable[str]) -> bool:
    """
    Tell whether an image that a runtime knows by these RepoTags and RepoDigests is the one referred to.

    A digest is looked up among the digests, a tag among the tags. Names that do not parse (CRI has "<none>:<none>")
    are passed over.
    """
    names = repo_digests if reference.digest else repo_tags
    return any(_parses_to(name, reference.full) for name in names)


def _parses_to(name: str, full: str) -> bool:
    try:
        return parse_reference(name).full == full
    except InvalidReference:
        return False


def _split(text: str) -> tuple[str, str | None, str | None]:
    """Cut into name, tag and digest, where None means absent and "" means that nothing follows the separator."""
    if not text:
        raise InvalidReference("image reference is empty")
    if "://" in text:
        # Not quoted: what is pasted with a scheme may hold a password.
        raise InvalidReference('image reference must not begin with a scheme such as "https://"')
    if _BARE_ID.fullmatch(text):
        raise InvalidReference(f"{_quoted(text)} is an image ID, and an image reference needs a repository name")
    rest, at, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{head}{slash}{last}", tag if colon else None, digest if at else None


def _parse_name(name: str) -> tuple[str, str]:
    domain, path = _split_domain(name)
    if not _DOMAIN.fullmatch(domain):
        raise InvalidReference(f"registry {_quoted(domain)} is not a host name or address with an optional port")
    _check_path(path)
    return domain, path


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = first == "localhost" or any(mark in first for mark in ".:") or first != first.lower()
    domain, path = (first, rest) if slash and is_domain else (_DOCKER_HUB, name)
    if domain == _DOCKER_HUB_LEGACY:
        domain = _DOCKER_HUB
    if domain == _DOCKER_HUB and "/" not in path:
        path = _OFFICIAL + path
    return domain, path


def _check_path(path: str) -> None:
    shown = _quoted(path.removeprefix(_OFFICIAL))
    if path in {"", _OFFICIAL}:
        raise InvalidReference("repository name is empty")
    if path != path.lower():
        raise InvalidReference(f"repository name {shown} must be lowercase")
    if len(path) > _PATH_LENGTH_MAX:
        raise InvalidReference(f"repository name {shown} has {len(path)} characters, at most {_PATH_LENGTH_MAX} may be")
    foreign = _PATH_FOREIGN.search(path)
    if foreign:
        raise InvalidReference(f"repository name {shown} must not contain {_quoted(foreign[0])}")
    for component in path.split("/"):
        _check_path_component(component, shown=shown)


def _check_path_component(component: str, *, shown: str) -> None:
    if not component:
        raise InvalidReference(f"repository name {shown} has a slash at its start or end, or two in a row")
    if not _PATH_COMPONENT.fullmatch(component):
        raise InvalidReference(
            f"repository name {shown}: {_quoted(component)} must begin and end with a letter or digit, "
            'with a single ".", one or two "_" or any number of "-" between them'
        )


def _check_tag(tag: str) -> None:
    if not tag:
        raise InvalidReference('tag is empty: write one after ":", or leave the ":" out')
    if not _TAG.fullmatch(tag):
        raise InvalidReference(
            f"tag {_quoted(tag)} must have at most 128 letters, digits, underscores, dots and dashes, "
            "and not begin with a dot or a dash"
        )


def _check_digest(digest: str) -> None:
    algorithm, colon, encoded = digest.partition(":")
    if not colon:
        raise InvalidReference(f"digest {_quoted(digest)} must be an algorithm, a colon and hexadecimal digits")
    length = _DIGEST_HEX_LENGTHS.get(algorithm)
    if length is None:
        known = ", ".join(_DIGEST_HEX_LENGTHS)
        raise InvalidReference(f"digest {_quoted(digest)} has an unknown algorithm; known are {known}")
    if len(encoded) != length or not _LOWER_HEX.fullmatch(encoded):
        raise InvalidReference(
            f"digest {_quoted(digest)} must have {length} lowercase hexadecimal digits after {algorithm}:"
        )


def _quoted(text: str) -> str:
    """Quote for a message: escapes what does not print, and shortens."""
    return json.dumps(text if len(text) <= _QUOTED_LENGTH_MAX else f"{text[:_QUOTED_LENGTH_MAX]}...")
