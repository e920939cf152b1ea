"""Whom we trust and what we show: an Access as a TLS context, made once and shared by all connections."""

import contextlib
import ssl
from pathlib import Path

from daemon.cluster.access import Access, NoAccess


def tls_context(access: Access) -> ssl.SSLContext:
    """
    Return a context that trusts the cluster's CA alone (the machine's own CAs only where none is named).

    Raises:
        NoAccess: a file of certificates or keys can't be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if access.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif access.ca_file is not None:
        _trust(context, access.ca_file)
    else:
        context.load_default_certs()
    if access.client_certificate is not None:
        _show(context, access.client_certificate, key=access.client_key)
    return context


def trust_anew(context: ssl.SSLContext, access: Access) -> None:
    """Trust what the CA file holds now too: where a cluster changes its CA, the file changes under a running Pod."""
    if access.ca_file is not None:
        with contextlib.suppress(NoAccess):
            _trust(context, access.ca_file)


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise NoAccess(f"CA file {ca_file}: {_words(error)}") from error


def _show(context: ssl.SSLContext, certificate: Path, *, key: Path | None) -> None:
    try:
        # The password is asked for where a key is encrypted; without an answer of ours it would be asked on a terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise NoAccess(f"client certificate {certificate}: {_words(error)}") from error


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return "it holds no usable certificate or key (PEM, not encrypted)"
    return error.strerror or type(error).__name__
