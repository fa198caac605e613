"""TLS as credentials want it."""

import os
import ssl

from speakerd.kube.credentials import Credentials, CredentialsProblem


def context(credentials: Credentials) -> ssl.SSLContext | None:
    """TLS as configured, None without. Raises CredentialsProblem for a certificate or key that is none."""
    if not credentials.tls:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    if not credentials.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif not credentials.ca:
        made.load_default_certs()
    try:
        if credentials.verify and credentials.ca:
            made.load_verify_locations(cadata=credentials.ca)
    except (ssl.SSLError, ValueError) as fault:
        what = f"the CA certificate cannot be used: {fault}"
        raise CredentialsProblem(credentials.source, what, "give a PEM certificate") from fault
    try:
        if credentials.certificate:
            _load_pair(made, credentials.certificate.reveal + "\n" + credentials.key.reveal)
    except (ssl.SSLError, OSError) as fault:
        what = f"client certificate or key cannot be used: {fault}"
        raise CredentialsProblem(credentials.source, what, "give a PEM certificate and its key") from fault
    return made


def _load_pair(made: ssl.SSLContext, pem: str) -> None:
    """OpenSSL's loader takes files only: one in memory that has no name and ends here."""
    file = os.memfd_create("client")
    try:
        os.write(file, pem.encode())
        made.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
