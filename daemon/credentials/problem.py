"""
What is wrong with a source of credentials: a value, since one bad source must never hold up the others.

A message names the source and the field. It never holds a value from the source, nor anything that a plugin printed.
"""

import msgspec

from daemon.api.reasons import Reason


class CredentialProblem(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing wrong with one source (a secret, a file, a plugin), in words that a person can act on.

    `reason` is set where a registry's refusal is to be told as this: the secret is missing, or may not be read.
    """

    source: str
    message: str
    reason: Reason | None = None

    def __str__(self) -> str:
        """Join both into one line."""
        return f"{self.source}: {self.message}"
