"""Keys and certificates of a throwaway control plane, by openssl."""

from pathlib import Path

from tests.lab.net import tool

CONFIG = """[req]
distinguished_name=dn
[dn]
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyCertSign
subjectKeyIdentifier=hash
[server]
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
authorityKeyIdentifier=keyid
subjectAltName={names}
"""
DAYS = "30"


class Pki:
    """A certificate authority in `folder`, a server certificate for `addresses`, and a key for service accounts."""

    def __init__(self, folder: Path, *addresses: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._config = folder / "openssl.cnf"
        names = [f"IP:{each}" for each in ("127.0.0.1", *addresses)]
        self._config.write_text(CONFIG.format(names=",".join([*names, "DNS:localhost"])))
        self.ca, self.certificate, self.key = folder / "ca.crt", folder / "server.crt", folder / "server.key"
        self.accounts, self.accounts_public = folder / "accounts.key", folder / "accounts.pub"
        self._authority()
        self._server()
        self._new_key(self.accounts)
        tool("openssl", "ec", "-in", str(self.accounts), "-pubout", "-out", str(self.accounts_public))

    def _new_key(self, where: Path) -> None:
        tool("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(where))

    def _authority(self) -> None:
        key = self._folder / "ca.key"
        self._new_key(key)
        what = ["-x509", "-new", "-key", str(key), "-subj", "/CN=lab", "-days", DAYS, "-out", str(self.ca)]
        tool("openssl", "req", *what, "-config", str(self._config), "-extensions", "ca")

    def _server(self) -> None:
        request = self._folder / "server.csr"
        self._new_key(self.key)
        tool(
            "openssl",
            "req",
            "-new",
            "-key",
            str(self.key),
            "-subj",
            "/CN=server",
            "-config",
            str(self._config),
            "-out",
            str(request),
        )
        issuer = ["-CA", str(self.ca), "-CAkey", str(self._folder / "ca.key"), "-CAcreateserial", "-days", DAYS]
        what = ["-extfile", str(self._config), "-extensions", "server", "-out", str(self.certificate)]
        tool("openssl", "x509", "-req", "-in", str(request), *issuer, *what)
