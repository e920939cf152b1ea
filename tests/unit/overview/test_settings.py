"""What a person may say to status, suspend and resume, and what goes together."""

import sys
import tomllib
from pathlib import Path

import pytest

from daemon.cli import _parser, _program, main
from daemon.config import InvalidSetting, Named, StatusSettings, Subject, status_settings, switch_settings


def settled(*arguments: str, **environment: str) -> StatusSettings:
    """Return the settings of `prewarm status` with these arguments."""
    options = _parser().parse_args(["status", *arguments])
    return status_settings(vars(options), environment=environment)


def test_without_a_name_it_is_every_job() -> None:
    """Of the context's namespace, as a table."""
    assert StatusSettings() == settled()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base", Named("base")),
        ("job/base", Named("base", Subject.JOB)),
        ("imagepulljob/base", Named("base", Subject.JOB)),
        ("ImagePullJobs.apps.kruise.io/base", Named("base", Subject.JOB)),
        ("ipj/base", Named("base", Subject.JOB)),
        ("list/nightly", Named("nightly", Subject.LIST)),
        ("ilpj/nightly", Named("nightly", Subject.LIST)),
        ("node/ip-10-0-0-1.example.internal", Named("ip-10-0-0-1.example.internal", Subject.NODE)),
        ("nodeimages/n1", Named("n1", Subject.NODE)),
    ],
)
def test_a_name_may_say_its_kind(name: str, expected: Named) -> None:
    """In kubectl's words for it, and in shorter ones."""
    assert expected == settled(name).named


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nodes",), Named("", Subject.NODE)),
        (("images",), Named("", Subject.IMAGE)),
        (("imagelistpulljobs.apps.kruise.io",), Named("", Subject.LIST)),
        (("jobs", "-A"), Named("", Subject.JOB)),
        (("node", "nodes"), Named("nodes", Subject.NODE)),
        (("node", "worker-1"), Named("worker-1", Subject.NODE)),
        (("job/nodes",), Named("nodes", Subject.JOB)),
        (("node",), Named("node")),
    ],
)
def test_a_kind_may_stand_alone_or_before_a_name(words: tuple[str, ...], expected: Named) -> None:
    """Its plural is all of it, as in kubectl; who is called so needs the kind."""
    assert expected == settled(*words).named


@pytest.mark.parametrize("words", [("a", "b"), ("node", "a", "b"), ("image", "a"), ("image/a",), ("node", "a/b")])
def test_more_than_one_is_refused(words: tuple[str, ...]) -> None:
    """As is a single image, which has no name of its own."""
    with pytest.raises(InvalidSetting):
        settled(*words)


@pytest.mark.parametrize("name", ["pod/a", "team/base/x", "A", "a b", "job/", "/a", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """Before anybody is asked for it."""
    with pytest.raises(InvalidSetting):
        settled(name)


def test_flags_beat_variables() -> None:
    """Kubeconfig, context and namespace have both."""
    found = settled("-n", "flag", "--context", "c", PREWARM_NAMESPACE="variable", PREWARM_KUBECONFIG="/k")

    assert ("flag", "c", "/k") == (found.namespace, found.context, found.kubeconfig)


def test_options_are_kubectl_s() -> None:
    """Short and long."""
    assert settled("-A", "-o", "wide", "-w") == settled("--all-namespaces", "--output=wide", "--watch")


@pytest.mark.parametrize("arguments", [("-A", "base"), ("-n", "Not A Name"), ("-o", "name")])
def test_what_does_not_go_together_is_bad_input(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, and a line that says why."""
    try:
        code = main(["status", *arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)

    assert 2 == code
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--all"),
        (("base", "--all"), "not both"),
        (("base", "-A"), "--all-namespaces"),
        (("node/n1",), "only jobs and lists"),
    ],
)
@pytest.mark.parametrize("command", ["suspend", "resume"])
def test_what_is_to_be_stopped_has_to_be_said(command: str, arguments: tuple[str, ...], words: str) -> None:
    """Names, or --all: nothing is stopped by a slip."""
    options = _parser().parse_args([command, *arguments])

    with pytest.raises(InvalidSetting, match=words):
        switch_settings(vars(options), is_suspending=command == "suspend", environment={})


def test_names_and_all_are_taken() -> None:
    """Several names, or everything everywhere."""
    by_name = switch_settings(
        vars(_parser().parse_args(["suspend", "base", "list/nightly", "--dry-run"])), is_suspending=True, environment={}
    )
    everything = switch_settings(
        vars(_parser().parse_args(["resume", "--all", "-A"])), is_suspending=False, environment={}
    )

    assert ((Named("base"), Named("nightly", Subject.LIST)), True) == (by_name.named, by_name.is_trial)
    assert ((), True, False) == (everything.named, everything.is_everywhere, everything.is_suspending)


@pytest.mark.parametrize(
    ("called", "expected"),
    [("/usr/bin/prewarm", "prewarm"), ("/usr/local/bin/kubectl-prewarm", "kubectl prewarm")],
)
def test_as_kubectl_s_plugin_it_is_called_so(
    called: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help and usage name what a person has typed."""
    monkeypatch.setattr(sys, "argv", [called])

    with pytest.raises(SystemExit):
        main(["status", "--help"])

    assert expected == _program()
    assert capsys.readouterr().out.startswith(f"usage: {expected} status [NAME |")


def test_kubectl_finds_the_command_by_its_name() -> None:
    """It runs what is called kubectl-prewarm for `kubectl prewarm`."""
    scripts = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]

    assert {"prewarm": "daemon.cli:main", "kubectl-prewarm": "daemon.cli:main"} == scripts
