"""What a node tells of itself by HTTP, asked from the node itself."""

import http.client

from tests.lab.net import Host, inside

PORT = 7472


def fetched(host: Host, path: str) -> tuple[int, str]:
    """Status and body of a page that `host` serves to itself."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5.0)
    with inside(host.namespace):
        connection.connect()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def samples(host: Host) -> dict[str, float]:
    """What a scraper reads on `host`, by name and labels."""
    status, body = fetched(host, "/metrics")
    assert status == 200
    lines = [line.rpartition(" ") for line in body.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
