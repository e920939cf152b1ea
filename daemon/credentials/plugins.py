"""
Exec credential-provider plugins: ask each that is for an image, and remember what it said as long as it allows.

The kubelet's rules: a plugin gets the repository without tag; its answer says for which images, one registry or all
it holds, and for how long. At most one run of a plugin for one image is under way; who asks meanwhile waits for it.
Source: https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from daemon.api.credential import Credential
from daemon.credentials.keyring import Keyring, matches
from daemon.credentials.plugin_process import Bounds, PluginFailed, run_plugin
from daemon.credentials.plugin_provider import CredentialProvider
from daemon.credentials.plugin_response import Response, cache_keys, parse_response
from daemon.credentials.problem import CredentialProblem
from daemon.images import ImageReference


_LOOK_FOR_CANCELLATION_SECONDS = 0.05


def boot_seconds() -> float:
    """Read the clock that runs through suspension of the machine, as the expiry of a token does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one plugin gave for one image."""

    credentials: tuple[Credential, ...] = ()
    problems: tuple[CredentialProblem, ...] = ()


class _Run:
    """A run under way; its response is there once `done` is set, None where its own asker was cancelled."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.response: Response | PluginFailed | None = None


class Plugin:
    """
    One plugin with what it has answered so far; safe from any thread.

    Args:
        provider: its configuration.
        bin_dir: the folder that holds its executable; the name has no path in it.
        environ: the environment it gets besides the configured one.
        bounds: of each run.
        clock: seconds, for the expiry of answers.

    """

    def __init__(
        self,
        provider: CredentialProvider,
        *,
        bin_dir: Path,
        environ: Mapping[str, str],
        bounds: Bounds,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._provider = provider
        self._command = (str(bin_dir / provider.name), *provider.args)
        self._env = {**environ, **dict(provider.env)}
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Response]] = {}
        self._runs: dict[str, _Run] = {}

    def ask(self, reference: ImageReference, *, cancelled: threading.Event) -> Answer:
        """Return the plugin's credentials for the image, none where it is not for that image."""
        source = self._provider.source
        if not any(matches(pattern, reference) for pattern in self._provider.match_images):
            return Answer()
        try:
            response = self._response(reference, cancelled=cancelled)
        except PluginFailed as failed:
            return Answer(problems=(CredentialProblem(source=source, message=str(failed)),))
        malformed = f"{response.malformed} of the entries that it returned can't be used"
        problems = (CredentialProblem(source=source, message=malformed),) if response.malformed else ()
        return Answer(credentials=Keyring(response.entries).lookup(reference), problems=problems)

    def _response(self, reference: ImageReference, *, cancelled: threading.Event) -> Response:
        image = reference.repository_full
        while True:
            with self._lock:
                if kept := self._find_kept(reference):
                    return kept
                run = self._runs.get(image)
                is_ours = run is None
                run = self._runs.setdefault(image, _Run())
            if is_ours:
                return self._lead(run, reference, cancelled=cancelled)
            if response := _await(run, cancelled=cancelled):
                return response

    def _lead(self, run: _Run, reference: ImageReference, *, cancelled: threading.Event) -> Response:
        """Run the plugin, for whoever waits for the same image too."""
        image = reference.repository_full
        try:
            response = self._run(reference, cancelled=cancelled)
            run.response = response
        except PluginFailed as failed:
            # Where this asker was cancelled, one of those who wait runs the plugin again.
            run.response = None if cancelled.is_set() else failed
            raise
        else:
            self._keep(response)
            return response
        finally:
            with self._lock:
                del self._runs[image]
            run.done.set()

    def _run(self, reference: ImageReference, *, cancelled: threading.Event) -> Response:
        request = {
            "kind": "CredentialProviderRequest",
            "apiVersion": self._provider.api_version,
            "image": reference.repository_full,
        }
        output = run_plugin(
            self._command,
            request=msgspec.json.encode(request),
            env=self._env,
            bounds=self._bounds,
            cancelled=cancelled,
        )
        return parse_response(output, provider=self._provider, reference=reference)

    def _find_kept(self, reference: ImageReference) -> Response | None:
        for key in cache_keys(reference).values():
            expires_at, response = self._kept.get(key, (float("-inf"), None))
            if self._clock() < expires_at:
                return response
        return None

    def _keep(self, response: Response) -> None:
        now = self._clock()
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if now < kept[0]}
            if response.cache_seconds > 0:
                self._kept[response.cache_key] = (now + response.cache_seconds, response)


class Plugins:
    """Every configured plugin, asked in the order of the configuration."""

    def __init__(
        self,
        providers: Sequence[CredentialProvider],
        *,
        bin_dir: Path,
        environ: Mapping[str, str],
        bounds: Bounds | None = None,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._plugins = tuple(
            Plugin(provider, bin_dir=bin_dir, environ=environ, bounds=bounds or Bounds(), clock=clock)
            for provider in providers
        )

    def ask(self, reference: ImageReference, *, cancelled: threading.Event) -> Answer:
        """Return what all plugins give for the image; one that fails is a problem and holds up no other."""
        answers = [plugin.ask(reference, cancelled=cancelled) for plugin in self._plugins]
        return Answer(
            credentials=tuple(credential for answer in answers for credential in answer.credentials),
            problems=tuple(problem for answer in answers for problem in answer.problems),
        )


def _await(run: _Run, *, cancelled: threading.Event) -> Response | None:
    """Wait for another asker's run; None where that asker was cancelled."""
    while not run.done.wait(_LOOK_FOR_CANCELLATION_SECONDS):
        if cancelled.is_set():
            raise PluginFailed("was not waited for, because the pull was cancelled")
    if isinstance(run.response, PluginFailed):
        raise PluginFailed(str(run.response))
    return run.response
