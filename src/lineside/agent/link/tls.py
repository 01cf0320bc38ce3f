"""TLS towards the control plane and its broker: the CA that joining pinned, and the device's own certificate.

A device whose clock is wrong by years cannot judge when a certificate is valid. For it, and only while its clock cannot
be right, the dates are not looked at; who signed the certificate and for which name is checked as ever.
"""

from __future__ import annotations

import ssl

from lineside.agent.paths import Paths

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name."""


def server_context(cafile: str | None, *, check_time: bool = True) -> ssl.SSLContext:
    """For HTTPS: the control plane's certificate must come from this CA (None: nobody is checked, for joining only)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cafile is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.load_verify_locations(cafile)
    if not check_time:
        context.verify_flags |= NO_CHECK_TIME
    return context


def device_context(paths: Paths, *, check_time: bool = True) -> ssl.SSLContext:
    """The same with the device's certificate and key, for the broker. Raises OSError when they cannot be used."""
    context = server_context(str(paths.ca), check_time=check_time)
    context.load_cert_chain(paths.certificate, paths.key)
    return context
