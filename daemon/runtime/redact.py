"""
Runtime words made fit for a status: no credential, no token, no signed query, and not too long.

What a runtime says reaches statuses, events and logs, and registries answer with signed URLs and echoed headers.
Classifying the words is left to classify.py, which reads them before they are cut.
"""

import base64
import json
import re
from urllib.parse import quote, quote_plus

from daemon.api.credential import Credential


WORDS_LENGTH = 1000
HIDDEN = "[redacted]"
CUT = " [...] "

# What a registry's token endpoint and its catalogue are asked with; every other query value may be a signature.
_PLAIN_QUERY = "scope|service|ns|n|last"
_TELLING_KEYS = "(?:[a-z]+[_-]?)?(?:password|passwd|token|secret|signature|credential|api[_-]?key|auth)"
# Not containerd's "repository does not exist or may require authorization: ..."
_TELLING_HEADERS = "(?:proxy-)?(?<!require )authorization|x-registry-auth|(?:set-)?cookie|x-amz-security-token"

_RULES = (
    # user:password@ of a URL
    (re.compile(r"(?i)([a-z][a-z0-9+.-]{0,20}://)[^\s/\"'<>]*@"), rf"\g<1>{HIDDEN}@"),
    (re.compile(rf"(?i)\b({_TELLING_HEADERS})(\\?\"?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?[^\s\"',;]+"), rf"\1\2{HIDDEN}"),
    # a challenge (Bearer realm="...") stays: it says whom to ask
    (re.compile(r"(?i)\b(bearer|basic|negotiate)(\s+)(?!realm=)[^\s\"',;]{8,}"), rf"\1\2{HIDDEN}"),
    (re.compile(rf"(?i)([?&;]|\\u0026)(?!(?:{_PLAIN_QUERY})=)([\w.%~-]+=)[^\s&\"'<>\\]+"), rf"\1\2{HIDDEN}"),
    # PHP and others write / as \/ in JSON
    (re.compile(rf"(?i)(\\?[\"']{_TELLING_KEYS}\\?[\"']\s*:\s*\\?[\"'])(?:[^\"'\\]|\\+/)+"), rf"\g<1>{HIDDEN}"),
    (re.compile(rf"(?i)\b({_TELLING_KEYS}=\\?[\"']?)[^\s\"'&,;\\]+"), rf"\g<1>{HIDDEN}"),
    # a JSON web token, wherever it stands
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.?[\w-]*"), HIDDEN),
)


def redact(words: str, *, credential: Credential | None = None) -> str:
    """
    Return the runtime's words on one line without secrets, at most WORDS_LENGTH characters that all print.

    The middle is cut: a runtime puts what it did first and the cause last.

    Args:
        words: what the runtime said.
        credential: what the call was made with; each of its secret forms is taken out wherever it stands.
    """
    # Before anything is made of the words: a secret may hold what does not print.
    line = words if credential is None else _without(words, _forms(credential))
    line = " ".join("".join(char if char.isprintable() else " " for char in line).split())
    for pattern, replacement in _RULES:
        line = pattern.sub(replacement, line)
    return _shortened(line)


def _forms(credential: Credential) -> tuple[str, ...]:
    """List how the credential's secrets can stand in words: plain, quoted for a URL or JSON, as HTTP's basic value."""
    basic = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
    plain = (basic, credential.password, credential.identity_token)
    forms = {quoted(form) for form in plain for quoted in (str, _url_quoted, quote_plus, _json_quoted)}
    return tuple(sorted(filter(None, forms), key=len, reverse=True))


def _url_quoted(text: str) -> str:
    return quote(text, safe="")


def _json_quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _without(line: str, forms: tuple[str, ...]) -> str:
    if not forms:
        return line
    return re.sub("|".join(re.escape(form) for form in forms), HIDDEN, line)


def _shortened(line: str) -> str:
    if len(line) <= WORDS_LENGTH:
        return line
    head = (WORDS_LENGTH - len(CUT)) // 3
    tail = WORDS_LENGTH - len(CUT) - head
    return f"{line[:head]}{CUT}{line[-tail:]}"
