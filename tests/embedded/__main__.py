"""The embedded API server as a process of its own: python -m tests.embedded --dir DIR [--port PORT].

Writes DIR/USER.kubeconfig for each user, says where it listens on standard output, and lives until SIGTERM or until
its standard input ends where --stdin is given. All it knows is in memory. Faults: see `server.Faults`.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import ssl
import sys
import time
from pathlib import Path

from tests.embedded.api import Api
from tests.embedded.server import Server
from tests.embedded.store import Store


def wall() -> str:
    """Now, as creationTimestamp has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.embedded", description="A small Kubernetes API server.")
    parser.add_argument("--dir", type=Path, required=True, help="where kubeconfig files are written")
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (0: any free one)")
    parser.add_argument("--user", action="append", default=[], help="a user beside admin, with a kubeconfig of its own")
    parser.add_argument("--cert", type=Path, help="serve TLS with this certificate")
    parser.add_argument("--key", type=Path, help="and this key")
    parser.add_argument("--ca", type=Path, help="what clients are told to trust (default: the certificate)")
    parser.add_argument("--no-crds", action="store_true", help="without MetalLB's CustomResourceDefinitions")
    parser.add_argument("--bookmarks", type=float, default=60.0, help="seconds between a watch's bookmarks")
    parser.add_argument("--stdin", action="store_true", help="stop when standard input ends")
    asyncio.run(serve(parser.parse_args()))


async def serve(args: argparse.Namespace) -> None:
    """The server's life."""
    # Beyond what any earlier run reached: who resumes from there is told 410, as after a restore.
    store = Store(int(time.time()) - 1_600_000_000, wall())
    if not args.no_crds:
        store.define_metallb(wall())
    tokens = {secrets.token_hex(16): user for user in ("admin", *args.user)}
    context = None
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
    server = Server(Api(store, wall), tokens, args.bookmarks)
    port = await server.listen(args.bind, args.port, context)
    host = f"[{args.bind}]" if ":" in args.bind else args.bind
    url = f"{'https' if context else 'http'}://{host}:{port}"
    args.dir.mkdir(parents=True, exist_ok=True)
    for token, user in tokens.items():
        write_kubeconfig(args.dir / f"{user}.kubeconfig", url, token, args.ca or args.cert)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    await told_to_stop(args.stdin)
    server.close()


async def told_to_stop(stdin: bool) -> None:
    """Until SIGTERM, SIGINT or, where asked for, the end of standard input."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stdin:
        end = sys.stdin.fileno()
        loop.add_reader(end, lambda: None if os.read(end, 4096) else stop.set())
    await stop.wait()


def write_kubeconfig(path: Path, url: str, token: str, ca: Path | None) -> None:
    """A kubeconfig for one user."""
    cluster = {"server": url} | ({"certificate-authority": str(ca.resolve())} if ca else {})
    named = {
        "clusters": [{"name": "embedded", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "user"}}],
    }
    path.touch(mode=0o600)
    path.write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "embedded", **named}, indent=1)
    )


if __name__ == "__main__":
    main()
