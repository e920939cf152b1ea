import errno
import json
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.credentials.keyring import Pattern, parse_pattern
from daemon.credentials.plugin_process import Bounds
from daemon.credentials.plugin_provider import CredentialProvider
from daemon.credentials.plugins import Answer, Plugin, Plugins
from daemon.images import parse_reference


API_VERSION = "credentialprovider.kubelet.k8s.io/v1"
DEADLINE_SECONDS = 20.0


class Clock:
    """A clock that a test moves; it counts how often it was read."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        """Read it."""
        self.reads += 1
        return self.seconds


def response(*, cache_type: str = "Image", duration: str | None = "5m", auth: object = None) -> str:
    """A plugin's response as JSON; its credential is for quay.io unless `auth` says otherwise."""
    fields = {
        "kind": "CredentialProviderResponse",
        "apiVersion": API_VERSION,
        "cacheKeyType": cache_type,
        "cacheDuration": duration,
        "auth": {"quay.io": {"username": "u", "password": "hunter2"}} if auth is None else auth,
    }
    return json.dumps(fields)


def says(text: str) -> str:
    """A shell command that counts the call and prints the text."""
    return f"echo call >> calls\ncat > request\ncat <<'END'\n{text}\nEND\n"


class Bench:
    """A folder with one plugin, which runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.cancelled = threading.Event()

    def plugin(self, script: str, *, bounds: Bounds | None = None, env: tuple[tuple[str, str], ...] = ()) -> Plugin:
        """Write the script and configure it for quay.io and *.example.com."""
        executable = self.folder / "plugin"
        executable.write_text(f'#!/bin/sh\ncd "{self.folder}"\n{script}')
        executable.chmod(0o755)
        return Plugin(
            provider(env=env, args=("--first", "second")),
            bin_dir=self.folder,
            environ={"PATH": os.environ["PATH"], "OWN": "own"},
            bounds=bounds or Bounds(timeout_seconds=DEADLINE_SECONDS),
            clock=self.clock,
        )

    def ask(self, plugin: Plugin, image: str = "quay.io/app") -> Answer:
        """Ask for an image."""
        return plugin.ask(parse_reference(image), cancelled=self.cancelled)

    def calls(self) -> int:
        """How often the plugin ran."""
        file = self.folder / "calls"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def pid(self, name: str) -> int:
        """A process ID that the script wrote, as soon as it has."""
        file = self.folder / name
        wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
        return int(file.read_text())


def provider(
    *, name: str = "plugin", args: tuple[str, ...] = (), env: tuple[tuple[str, str], ...] = (), default: float = 60
) -> CredentialProvider:
    """A provider for quay.io and *.example.com."""
    return CredentialProvider(
        name=name,
        match_images=(pattern("quay.io"), pattern("*.example.com")),
        default_cache_seconds=default,
        api_version=API_VERSION,
        args=args,
        env=env,
    )


def pattern(text: str) -> Pattern:
    """A pattern that is known to be one."""
    found = parse_pattern(text)
    assert found is not None
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    """Look until the condition holds, at most DEADLINE_SECONDS."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.002)


def is_running(pid: int) -> bool:
    """Whether a process is there and not a mere zombie, which a container without an init keeps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def message(answer: Answer) -> str:
    """The only problem, of an answer that gave nothing."""
    assert answer.credentials == ()
    (problem,) = answer.problems
    assert problem.source == "credential provider plugin"
    return problem.message


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench of this test's own."""
    return Bench(tmp_path)


def test_plugin_gives_its_credential(bench: Bench) -> None:
    """User name and password arrive, with the plugin as their source."""
    answer = bench.ask(bench.plugin(says(response())))

    (credential,) = answer.credentials
    assert answer.problems == ()
    assert (credential.username, credential.password) == ("u", "hunter2")
    assert credential.source == "credential provider plugin"


def test_plugin_is_asked_for_the_repository_without_tag(bench: Bench) -> None:
    """The request is the kubelet's: kind, apiVersion and the full repository name."""
    bench.ask(bench.plugin(says(response())), "quay.io/team/app:1.9")

    expected = {"kind": "CredentialProviderRequest", "apiVersion": API_VERSION, "image": "quay.io/team/app"}
    assert expected == json.loads((bench.folder / "request").read_text())


def test_plugin_gets_arguments_and_both_environments(bench: Bench) -> None:
    """Its environment is our own plus the configured one, which wins."""
    script = 'echo "$1 $2 $OWN $MORE" > seen\n' + says(response())

    bench.ask(bench.plugin(script, env=(("MORE", "more"), ("OWN", "configured"))))

    assert (bench.folder / "seen").read_text() == "--first second configured more\n"


def test_plugin_may_answer_without_reading(bench: Bench) -> None:
    """A plugin that never reads its stdin is no failure."""
    assert bench.ask(bench.plugin(f"exec <&-\necho '{response()}'")).problems == ()


def test_plugin_is_not_run_for_other_images(bench: Bench) -> None:
    """MatchImages decides, by the same globs as a keyring."""
    plugin = bench.plugin(says(response()))

    answers = [bench.ask(plugin, image) for image in ("nginx", "quay.io:443/app", "a.b.example.com/app")]

    assert answers == [Answer()] * 3
    assert bench.calls() == 0


def test_plugin_is_run_for_a_glob(bench: Bench) -> None:
    """A label of the host may be a glob, in matchImages and in the response."""
    auth = {"*.example.com/team": {"username": "u", "password": "p"}}

    answer = bench.ask(bench.plugin(says(response(auth=auth))), "eu.example.com/team/app")

    assert [credential.password for credential in answer.credentials] == ["p"]


def test_entry_for_another_host_is_not_used(bench: Bench) -> None:
    """What a plugin returns for another registry never goes to this one."""
    auth = {"other.example": {"username": "u", "password": "p"}}

    assert Answer() == bench.ask(bench.plugin(says(response(auth=auth))))


@pytest.mark.parametrize(
    ("cache_type", "calls"),
    [("Image", [1, 1, 2, 3]), ("Registry", [1, 1, 1, 2]), ("Global", [1, 1, 1, 1])],
)
def test_answer_is_kept_for_what_its_type_says(bench: Bench, cache_type: str, calls: list[int]) -> None:
    """Image: this repository with any tag; Registry: this host with its port; Global: everything."""
    plugin = bench.plugin(says(response(cache_type=cache_type)))

    seen = []
    for image in ("quay.io/app:1", "quay.io/app:2", "quay.io/other", "eu.example.com/app"):
        bench.ask(plugin, image)
        seen.append(bench.calls())

    assert calls == seen


@pytest.mark.parametrize(
    ("duration", "kept_seconds"), [("5m", 300), ("1h0m0.5s", 3600.5), (None, 60)], ids=["given", "sum", "default"]
)
def test_answer_is_kept_as_long_as_it_says(bench: Bench, duration: str | None, kept_seconds: float) -> None:
    """After cacheDuration, or without one the configured default, the plugin runs again."""
    plugin = bench.plugin(says(response(duration=duration)))
    bench.ask(plugin)

    bench.clock.seconds += kept_seconds - 0.01
    bench.ask(plugin)
    before = bench.calls()
    bench.clock.seconds += 0.02
    bench.ask(plugin)

    assert (before, bench.calls()) == (1, 2)


@pytest.mark.parametrize("duration", ["0", "0s", "-1s"])
def test_answer_of_no_duration_is_not_kept(bench: Bench, duration: str) -> None:
    """A duration of zero means that the plugin runs each time."""
    plugin = bench.plugin(says(response(duration=duration)))

    bench.ask(plugin)
    bench.ask(plugin)

    assert bench.calls() == 2


def test_failure_is_not_kept(bench: Bench) -> None:
    """The next attempt asks a plugin that failed again."""
    plugin = bench.plugin(f"echo call >> calls\n[ -e fixed ] || exit 1\n{says(response())}")
    failed = bench.ask(plugin)
    (bench.folder / "fixed").touch()

    answer = bench.ask(plugin)

    assert len(failed.problems) == 1
    assert len(answer.credentials) == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo hunter2; echo hunter2 >&2; exit 1", "ended with exit code 1; run it by hand to see what it says"),
        ("echo hunter2; kill -TERM $$", "was ended by signal 15"),
        ("echo hunter2", "answered with 8 bytes that are not valid JSON"),
        ("true", "answered with 0 bytes that are not valid JSON"),
        ("printf '\\377hunter2'", "not valid JSON"),
        ("head -c 100000 /dev/zero | tr '\\0' '['", "not valid JSON"),
        ("echo '[\"hunter2\"]'", "must answer with a JSON object"),
        (
            says(response().replace("Response", "hunter2")),
            "must answer with a CredentialProviderResponse of apiVersion",
        ),
        (
            says(response().replace("k8s.io/v1", "k8s.io/v1beta1")),
            f"CredentialProviderResponse of apiVersion {API_VERSION}",
        ),
        (says(response(cache_type="hunter2")), "must answer with a cacheKeyType of Image, Registry, Global"),
        (says(response(duration="hunter2")), "must answer with a cacheDuration"),
        (says(response().replace('"5m"', "5")), "must answer with a cacheDuration"),
        (says(response(auth=["hunter2"])), "must answer with an object under auth"),
        (says(response(auth={"quay.io": "hunter2"})), "1 of the entries that it returned can't be used"),
        (
            says(response(auth={"quay.io": {"username": ["hunter2"]}})),
            "1 of the entries that it returned can't be used",
        ),
        (
            says(response(auth={"u:hunter2@quay.io": {"username": "u"}})),
            "1 of the entries that it returned can't be used",
        ),
    ],
)
def test_failing_plugin_is_a_problem_that_quotes_nothing(bench: Bench, script: str, words: str) -> None:
    """What went wrong is said, and neither stdout nor stderr is repeated, as both may hold secrets."""
    found = message(bench.ask(bench.plugin(script)))

    assert words in found
    assert "hunter2" not in found


def test_missing_plugin_is_a_problem(bench: Bench) -> None:
    """The path that was tried is named."""
    plugin = bench.plugin("true")
    (bench.folder / "plugin").unlink()

    assert message(bench.ask(plugin)) == f"can't be started: No such file or directory: {bench.folder}/plugin"


def test_plugin_that_may_not_be_executed_is_a_problem(bench: Bench) -> None:
    """A lost x bit is named."""
    plugin = bench.plugin("true")
    (bench.folder / "plugin").chmod(0o644)

    assert message(bench.ask(plugin)) == f"can't be started: Permission denied: {bench.folder}/plugin"


def test_plugin_of_another_machine_is_a_problem(bench: Bench) -> None:
    """A file that the kernel can't execute is named."""
    plugin = bench.plugin("true")
    (bench.folder / "plugin").write_bytes(b"\x7fELF not really")

    assert message(bench.ask(plugin)) == f"can't be started: Exec format error: {bench.folder}/plugin"


def test_endless_output_is_cut(bench: Bench) -> None:
    """A plugin that prints without end is killed at the limit."""
    plugin = bench.plugin("exec yes hunter2", bounds=Bounds(timeout_seconds=DEADLINE_SECONDS, output_bytes_max=1000))

    assert message(bench.ask(plugin)) == "printed more than 1000 bytes"


def test_large_output_within_the_limit_is_read_whole(bench: Bench) -> None:
    """An answer larger than a pipe's buffer is no problem."""
    auth = {f"quay.io/{number}": {"username": "u", "password": "x" * 1000} for number in range(200)}
    auth["quay.io"] = {"username": "u", "password": "p"}

    answer = bench.ask(bench.plugin(says(response(auth=auth))))

    assert [credential.password for credential in answer.credentials] == ["p"]


def test_timeout_kills_the_whole_process_group(bench: Bench) -> None:
    """Neither a plugin that hangs nor what it started outlives the timeout."""
    script = "sleep 1000 &\necho $! > child\necho $$ > self\nwait"
    plugin = bench.plugin(script, bounds=Bounds(timeout_seconds=1))

    found = message(bench.ask(plugin))

    assert found == "did not end within 1 s"
    wait_until(lambda: not is_running(bench.pid("child")) and not is_running(bench.pid("self")))


def test_timeout_holds_after_the_output_was_closed(bench: Bench) -> None:
    """A plugin that closes its stdout and hangs is killed too."""
    plugin = bench.plugin("exec >&-\nexec sleep 1000", bounds=Bounds(timeout_seconds=0.3))

    assert message(bench.ask(plugin)) == "did not end within 0.3 s"


def refuse_to_kill(_group: int, _signal: int) -> None:
    """What the system answers to a kill of another user's process; only root could run such a plugin in a test."""
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_plugin_that_may_not_be_killed_is_a_problem_and_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has become another user (setuid) and hangs is left behind at its timeout."""
    plugin = bench.plugin("echo $$ > self\nexec sleep 1000", bounds=Bounds(timeout_seconds=0.5))

    with monkeypatch.context() as patched:
        patched.setattr(os, "killpg", refuse_to_kill)
        answer = bench.ask(plugin)
    left = bench.pid("self")
    was_running = is_running(left)
    os.kill(left, signal.SIGKILL)

    assert "did not end within 0.5 s" == message(answer)
    assert was_running
    wait_until(lambda: not is_running(left))


def test_answer_of_a_plugin_that_may_not_be_killed_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has become another user and ended by itself has nothing left to kill."""
    monkeypatch.setattr(os, "killpg", refuse_to_kill)

    answer = bench.ask(bench.plugin(says(response())))

    assert ["u"] == [credential.username for credential in answer.credentials]


def test_plugin_that_cannot_be_listened_to_is_a_problem(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file can be opened any more the pull goes on without it."""

    def refuse() -> selectors.DefaultSelector:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("daemon.credentials.plugin_process.selectors.DefaultSelector", refuse)

    answer = bench.ask(bench.plugin(says(response())))

    assert "can't be talked to: Too many open files" == message(answer)


def test_child_that_stays_behind_neither_delays_the_answer_nor_stays(bench: Bench) -> None:
    """A background process that keeps stdout open is not waited for, and is killed."""
    script = f"sleep 1000 &\necho $! > child\n{says(response())}"

    answer = bench.ask(bench.plugin(script))

    assert len(answer.credentials) == 1
    wait_until(lambda: not is_running(bench.pid("child")))


def test_cancellation_kills_the_plugin(bench: Bench) -> None:
    """A cancelled pull does not wait for its plugin."""
    plugin = bench.plugin("sleep 1000 &\necho $! > child\nwait")

    with ThreadPoolExecutor() as threads:
        asked = threads.submit(bench.ask, plugin)
        child = bench.pid("child")
        bench.cancelled.set()
        answer = asked.result(DEADLINE_SECONDS)

    assert message(answer) == "was stopped, because the pull was cancelled"
    wait_until(lambda: not is_running(child))


def test_one_run_serves_all_who_ask_meanwhile(bench: Bench) -> None:
    """Four pulls of one image run the plugin once, even where nothing may be kept."""
    os.mkfifo(bench.folder / "gate")
    plugin = bench.plugin(f"cat gate > opened\n{says(response(duration='0s'))}")
    plugin_asks_clock = 3

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(bench.ask, plugin) for _ in range(4)]
        wait_until(lambda: bench.clock.reads == 4 * plugin_asks_clock)
        (bench.folder / "gate").write_text("open")
        answers = [each.result(DEADLINE_SECONDS) for each in asked]

    assert [len(answer.credentials) for answer in answers] == [1] * 4
    assert bench.calls() == 1


def test_one_failure_is_told_to_all_who_asked_meanwhile(bench: Bench) -> None:
    """Who waits for a run that fails gets its problem, and does not run the plugin again."""
    os.mkfifo(bench.folder / "gate")
    plugin = bench.plugin("cat gate > opened\necho call >> calls\nexit 3")
    plugin_asks_clock = 3

    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(bench.ask, plugin) for _ in range(2)]
        wait_until(lambda: bench.clock.reads == 2 * plugin_asks_clock)
        (bench.folder / "gate").write_text("open")
        messages = {message(each.result(DEADLINE_SECONDS)) for each in asked}

    assert messages == {"ended with exit code 3; run it by hand to see what it says"}
    assert bench.calls() == 1


def test_other_images_are_not_held_up(bench: Bench) -> None:
    """A plugin that hangs for one image answers for another meanwhile."""
    os.mkfifo(bench.folder / "gate")
    plugin = bench.plugin(f"grep -q slow && echo $$ > slow && cat gate > opened\n{says(response())}")

    with ThreadPoolExecutor() as threads:
        slow = threads.submit(bench.ask, plugin, "quay.io/slow")
        bench.pid("slow")
        quick = bench.ask(plugin, "quay.io/quick")
        (bench.folder / "gate").write_text("open")

        assert len(quick.credentials) == 1
        assert len(slow.result(DEADLINE_SECONDS).credentials) == 1


def test_cancelled_asker_leaves_the_run_to_another(bench: Bench) -> None:
    """Where the pull that runs the plugin is cancelled, one that waited runs it anew."""
    os.mkfifo(bench.folder / "gate")
    plugin = bench.plugin(f"if [ ! -e first ]; then echo $$ > first; cat gate; fi\n{says(response())}")
    plugin_asks_clock = 3
    other = threading.Event()

    with ThreadPoolExecutor(2) as threads:
        leading = threads.submit(bench.ask, plugin)
        bench.pid("first")
        waiting = threads.submit(plugin.ask, parse_reference("quay.io/app"), cancelled=other)
        wait_until(lambda: bench.clock.reads >= 2 * plugin_asks_clock)
        bench.cancelled.set()
        answers = (leading.result(DEADLINE_SECONDS), waiting.result(DEADLINE_SECONDS))

    assert [len(answer.credentials) for answer in answers] == [0, 1]


def test_cancelled_asker_does_not_wait_for_the_run_of_another(bench: Bench) -> None:
    """Waiting for another's run ends with one's own pull."""
    os.mkfifo(bench.folder / "gate")
    plugin = bench.plugin(f"echo $$ > first\ncat gate > opened\n{says(response())}")
    other = threading.Event()
    other.set()

    with ThreadPoolExecutor(2) as threads:
        leading = threads.submit(bench.ask, plugin)
        bench.pid("first")
        waiting = plugin.ask(parse_reference("quay.io/app"), cancelled=other)
        (bench.folder / "gate").write_text("open")

        assert message(waiting) == "was not waited for, because the pull was cancelled"
        assert len(leading.result(DEADLINE_SECONDS).credentials) == 1


def test_one_failing_plugin_holds_up_no_other(bench: Bench) -> None:
    """Plugins are asked in their order; one that is missing is a problem beside the others' credentials."""
    bench.plugin(says(response()))
    plugins = Plugins(
        [provider(name="absent"), provider()], bin_dir=bench.folder, environ=dict(os.environ), clock=bench.clock
    )

    answer = plugins.ask(parse_reference("quay.io/app"), cancelled=bench.cancelled)

    assert [credential.username for credential in answer.credentials] == ["u"]
    assert [problem.source for problem in answer.problems] == ["credential provider absent"]
