"""A person reaches the cluster that kubectl would reach, and hears in one line what is wrong with a kubeconfig."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from daemon.cluster.access import NoAccess
from daemon.cluster.contexts import Place, place_of


SENTINEL = "s3cr3t-s3ntin3l"
Json = dict[str, object]


def write(path: Path, *names: str, current: str = "", namespaces: Mapping[str, str] | None = None) -> Path:
    """Write a kubeconfig with a context, a cluster and a user of each name; each server is called after its file."""
    contexts = [
        {"name": name, "context": {"cluster": name, "user": name, "namespace": (namespaces or {}).get(name, "")}}
        for name in names
    ]
    config: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{path.name}.test:6443"}} for name in names],
        "users": [{"name": name, "user": {"token": SENTINEL}} for name in names],
        "contexts": contexts,
        "current-context": current,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def place(kubeconfig: Path | str = "", *, context: str = "", folder: Path | None = None, **environment: str) -> Place:
    """Find out what a person means."""
    return place_of(str(kubeconfig), context=context, environment=environment, folder=folder or Path("/nonexistent"))


def test_the_current_context_is_meant_with_its_namespace(tmp_path: Path) -> None:
    """Where neither is named."""
    found = place(write(tmp_path / "one", "a", "b", current="b", namespaces={"b": "team"}))

    assert ("b", "team", "https://one.test:6443") == (found.context, found.namespace, found.access.server)


def test_a_named_context_is_meant(tmp_path: Path) -> None:
    """And the namespace default where it has none."""
    found = place(write(tmp_path / "one", "a", "b", current="b"), context="a")

    assert ("a", "default") == (found.context, found.namespace)


def test_a_flag_beats_the_variable_which_beats_the_home(tmp_path: Path) -> None:
    """As kubectl looks for it."""
    flag = write(tmp_path / "flag", "a", current="a")
    variable = str(write(tmp_path / "variable", "a", current="a"))
    home = str(tmp_path / "home")
    write(tmp_path / "home/.kube/config", "a", current="a")

    found = [place(flag, KUBECONFIG=variable, HOME=home), place(KUBECONFIG=variable, HOME=home), place(HOME=home)]

    expected = ["https://flag.test:6443", "https://variable.test:6443", "https://config.test:6443"]
    assert expected == [each.access.server for each in found]


def test_several_files_are_one(tmp_path: Path) -> None:
    """What an earlier one says counts, and one that does not exist is passed over."""
    first, second = write(tmp_path / "first", "a", current=""), write(tmp_path / "second", "a", "b", current="b")
    variable = os.pathsep.join([str(tmp_path / "absent"), str(first), str(second)])

    current, named = place(KUBECONFIG=variable), place(KUBECONFIG=variable, context="a")

    assert ("b", "https://second.test:6443") == (current.context, current.access.server)
    assert "https://first.test:6443" == named.access.server


def test_the_first_current_context_counts(tmp_path: Path) -> None:
    """As kubectl reads them, and the official client does not."""
    first, second = write(tmp_path / "first", "a", current="a"), write(tmp_path / "second", "b", current="b")

    assert "a" == place(KUBECONFIG=os.pathsep.join([str(first), str(second)])).context


def test_in_a_pod_without_a_kubeconfig_its_account_serves(tmp_path: Path) -> None:
    """With the Pod's namespace; so the command works in a coordinator's own Pod."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    (tmp_path / "token").write_text("token")
    (tmp_path / "namespace").write_text("prewarm-system")

    found = place(folder=tmp_path, KUBERNETES_SERVICE_HOST="10.0.0.1", KUBERNETES_SERVICE_PORT="443", HOME="/nowhere")

    assert ("https://10.0.0.1:443", "prewarm-system", "") == (found.access.server, found.namespace, found.context)


@pytest.mark.parametrize(
    ("environment", "words"),
    [({}, "~/.kube/config does not exist"), ({"HOME": "/h"}, "/h/.kube/config"), ({"KUBECONFIG": "/x:/y"}, "/x or /y")],
)
def test_without_a_kubeconfig_it_says_where_it_has_looked(environment: dict[str, str], words: str) -> None:
    """And what to give."""
    with pytest.raises(NoAccess, match=r"no kubeconfig: .*--kubeconfig") as error:
        place_of("", context="", environment=environment, folder=Path("/nonexistent"))

    assert words in str(error.value)


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """The first ten of them."""
    path = write(tmp_path / "one", *(f"c{number:02}" for number in range(12)), current="c00")

    with pytest.raises(NoAccess, match=r"no context 'prod' \(it has c00, c01, .*c09 and 2 more\)"):
        place(path, context="prod")


def test_without_a_current_context_one_has_to_be_named(tmp_path: Path) -> None:
    """With the names that there are."""
    with pytest.raises(NoAccess, match=r"no current context; give --context \(it has a\)"):
        place(write(tmp_path / "one", "a"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"token: {SENTINEL}\n\t- broken", "no YAML"),
        (f"- {SENTINEL}", "no YAML"),
        ("", "no current context"),
        (f"contexts: {SENTINEL}\ncurrent-context: a", "no context 'a' (it has none)"),
        (f"contexts: [1, {{name: 2}}, {{name: a, context: {SENTINEL}}}]\ncurrent-context: [a]", "no current context"),
    ],
    ids=["broken", "a list", "empty", "contexts are none", "odd contexts"],
)
def test_a_file_that_is_no_kubeconfig_is_told_without_what_is_in_it(tmp_path: Path, text: str, words: str) -> None:
    """It may be somebody's secrets."""
    path = tmp_path / "odd"
    path.write_text(text)

    with pytest.raises(NoAccess) as error:
        place(path)

    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert SENTINEL not in str(error.value)


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    """What a flag names is not passed over."""
    with pytest.raises(NoAccess, match=r"absent: No such file"):
        place(tmp_path / "absent")


def test_bytes_that_are_no_text_are_no_kubeconfig(tmp_path: Path) -> None:
    """A key, say."""
    path = tmp_path / "bytes"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(NoAccess, match="no YAML"):
        place(path)
