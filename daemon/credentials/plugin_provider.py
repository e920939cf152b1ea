"""One exec credential-provider plugin as a value; who reads it from the kubelet's configuration is plugin_config.py."""

import msgspec

from daemon.credentials.keyring import Pattern


class CredentialProvider(msgspec.Struct, frozen=True, kw_only=True):
    """One exec plugin as configured; its repr hides arguments and environment, which may hold secrets."""

    name: str
    match_images: tuple[Pattern, ...]
    default_cache_seconds: float
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> str:
        """How the plugin is named to a person."""
        return f"credential provider {self.name}"

    def __repr__(self) -> str:
        """Name the plugin and nothing else."""
        return f"CredentialProvider(name={self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Name the plugin where rich prints it, which otherwise asks msgspec for every field."""
        return [("name", self.name)]
