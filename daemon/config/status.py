"""The settings of what a person asks of a cluster: `prewarm status`, `prewarm suspend` and `prewarm resume`."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from daemon.api.names import is_dns_subdomain
from daemon.config.cluster import ACCOUNT_FOLDER, KUBECONFIG, SERVICE_ACCOUNT_FOLDER
from daemon.config.settings import InvalidSetting, Setting, name, settle


OUTPUTS: Final = ("wide", "json", "yaml")


class Subject(StrEnum):
    """What a name is the name of."""

    JOB = "job"
    LIST = "list"
    NODE = "node"
    IMAGE = "image"


class Named(msgspec.Struct, frozen=True):
    """What is asked for by name; `kind` None: whatever has the name, a job first. Name "": all of the kind."""

    name: str
    kind: Subject | None = None


class StatusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm status` works with.

    `named` None means: every job and list. `kubeconfig` "" means: as kubectl finds one, or a Pod's own account.
    `context` and `namespace` "" mean: what the kubeconfig says. `output` "" is a table.
    """

    named: Named | None = None
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    service_account_folder: str = SERVICE_ACCOUNT_FOLDER
    is_everywhere: bool = False
    is_watching: bool = False
    output: str = ""


class SwitchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm suspend` (`is_suspending`) and `prewarm resume` work with.

    Without `named` it is all jobs and lists of the namespace, or of all namespaces.
    """

    is_suspending: bool
    named: tuple[Named, ...] = ()
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    service_account_folder: str = SERVICE_ACCOUNT_FOLDER
    is_everywhere: bool = False
    is_trial: bool = False


STATUS_SETTINGS: Final = (
    msgspec.structs.replace(
        KUBECONFIG,
        help="the kubeconfig to use (default: as kubectl's, KUBECONFIG or ~/.kube/config; in a Pod without one its "
        "service account); needs the extra prewarm[kubeconfig]",
    ),
    Setting(
        flag="--context",
        field="context",
        metavar="NAME",
        help="the kubeconfig's context to use (default: its current one)",
    ),
    Setting(
        flag="--namespace",
        field="namespace",
        metavar="NAMESPACE",
        parse=name,
        letter="n",
        help="whose jobs (default: the context's namespace)",
    ),
    ACCOUNT_FOLDER,
)

_KINDS: Final[Mapping[str, Subject]] = {
    **dict.fromkeys(("job", "jobs", "ipj", "imagepulljob", "imagepulljobs"), Subject.JOB),
    **dict.fromkeys(("list", "lists", "ilpj", "imagelistpulljob", "imagelistpulljobs"), Subject.LIST),
    **dict.fromkeys(("node", "nodes", "nodeimage", "nodeimages"), Subject.NODE),
    **dict.fromkeys(("image", "images"), Subject.IMAGE),
}
# What kubectl calls all of a kind; its singular with a name behind it is one of them.
_PLURALS: Final = frozenset({"jobs", "imagepulljobs", "lists", "imagelistpulljobs", "nodes", "nodeimages", "images"})
_MOST_WORDS: Final = 2


def status_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> StatusSettings:
    """
    Settle what `prewarm status` works with.

    Args:
        given: `words`, `output`, `is_everywhere` and `is_watching` as they are; the text of each flag by its field.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used, or two do not go together.
    """
    values = settle(given, settings=STATUS_SETTINGS, environment=environment)
    words = given.get("words")
    named = asked_by(words) if isinstance(words, list) and words else None
    plain = {field: given[field] for field in ("is_everywhere", "is_watching")}
    if named is not None and named.name and plain["is_everywhere"]:
        raise InvalidSetting("a name with --all-namespaces: give its namespace with -n, or leave the name out")
    return msgspec.convert({**values, **plain, "named": named, "output": given.get("output") or ""}, StatusSettings)


def switch_settings(
    given: Mapping[str, object], *, is_suspending: bool, environment: Mapping[str, str]
) -> SwitchSettings:
    """
    Settle what `prewarm suspend` and `prewarm resume` work with.

    Args:
        given: `names`, `is_all`, `is_everywhere` and `is_trial` as they are; the text of each flag by its field.
        is_suspending: which of the two it is.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used, or two do not go together.
    """
    values = settle(given, settings=STATUS_SETTINGS, environment=environment)
    names = given["names"]
    named = tuple(named_by(text) for text in names) if isinstance(names, list) else ()
    if bool(named) == bool(given["is_all"]):
        raise InvalidSetting("give the names of jobs, or --all, and not both")
    if named and given["is_everywhere"]:
        raise InvalidSetting("names with --all-namespaces: give their namespace with -n, or --all for every job")
    if any(each.kind is Subject.NODE for each in named):
        raise InvalidSetting("a node can't be suspended, only jobs and lists can")
    plain = {field: given[field] for field in ("is_everywhere", "is_trial")}
    return msgspec.convert({**values, **plain, "named": named, "is_suspending": is_suspending}, SwitchSettings)


def asked_by(words: Sequence[str]) -> Named:
    """
    Read what `prewarm status` is asked for: NAME, KIND/NAME or KIND NAME, or KINDS for all of a kind.

    A word for all of a kind is never a name: a job that is called `nodes` is job/nodes.

    Raises:
        InvalidSetting: more than one is named, a kind is none, or a name is.
    """
    if len(words) > _MOST_WORDS or (len(words) == _MOST_WORDS and _kind_of(words[0]) is None):
        raise InvalidSetting(f'"{" ".join(words)}": give one name, KIND/NAME or KIND NAME')
    if len(words) == _MOST_WORDS:
        return named_by("/".join(words))
    kind = _kind_of(words[0])
    return Named("", kind) if kind is not None and _plain(words[0]) in _PLURALS else named_by(words[0])


def named_by(text: str) -> Named:
    """
    Read NAME, or KIND/NAME in kubectl's words for the kinds.

    Raises:
        InvalidSetting: no such kind, or no name.
    """
    kind, slash, plain = text.rpartition("/")
    known = _kind_of(kind)
    if known is Subject.IMAGE:
        raise InvalidSetting(f'"{text}": images are shown all together, `prewarm status images`')
    if slash and known is None:
        raise InvalidSetting(f'"{text}": "{kind}" is none of job, list and node')
    if not is_dns_subdomain(plain):
        raise InvalidSetting(f'"{text}" is no name of an object: lower case letters, digits, "-" and "."')
    return Named(plain, known)


def _kind_of(word: str) -> Subject | None:
    return _KINDS.get(_plain(word))


def _plain(word: str) -> str:
    return word.lower().removesuffix(".apps.kruise.io")
