"""
How names and labels may be written: RFC 1123 names, label keys and values.

Each rule is a pattern and a length, which a CRD's schema can say in the same way.
"""

import re
from typing import Final

from daemon.api.fields import Field
from daemon.api.findings import shown


_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL: Final = re.compile(_LABEL)
_DNS_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LONGEST_SUBDOMAIN: Final = 253
_LONGEST_LABEL: Final = 63


def check_dns_subdomain(field: Field, name: str) -> None:
    """Report a name that can't be an object's, such as a node's or a secret's."""
    if name and not is_dns_subdomain(name):
        field.invalid(
            'must be lower case letters, digits, "-" and ".", begin and end with a letter or digit, '
            f"and have at most {_LONGEST_SUBDOMAIN} characters"
        )


def check_dns_label(field: Field, name: str) -> None:
    """Report a name that can't be a namespace's."""
    if name and (len(name) > _LONGEST_LABEL or not _DNS_LABEL.fullmatch(name)):
        field.invalid(
            'must be lower case letters, digits and "-", begin and end with a letter or digit, '
            f"and have at most {_LONGEST_LABEL} characters"
        )


def check_label_key(field: Field, key: str) -> None:
    """Report a key that no label can have: an optional DNS prefix and a slash, then a name."""
    if not is_label_key(key):
        field.error(
            f'Invalid value: {shown(key)}: a label key must be letters, digits, "-", "_" and ".", begin and end with a '
            f'letter or digit, have at most {_LONGEST_LABEL} characters, and may have a DNS name and "/" before them'
        )


def check_label_value(field: Field, value: str) -> None:
    """Report a value that no label can have."""
    if value and not _is_label_text(value):
        field.invalid(
            'a label value must be letters, digits, "-", "_" and ".", begin and end with a letter or digit, and have '
            f"at most {_LONGEST_LABEL} characters"
        )


def is_dns_subdomain(name: str) -> bool:
    """Tell whether a name can be an object's."""
    return len(name) <= _LONGEST_SUBDOMAIN and _DNS_SUBDOMAIN.fullmatch(name) is not None


def is_label_key(key: str) -> bool:
    """Tell whether a key can be a label's or a taint's."""
    prefix, slash, name = key.rpartition("/")
    return (not slash or is_dns_subdomain(prefix)) and _is_label_text(name)


def _is_label_text(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(text) is not None
