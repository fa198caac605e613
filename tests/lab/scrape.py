"""What a node tells of itself by HTTP, asked from the node itself."""

import http.client

from prometheus_client.parser import text_string_to_metric_families

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
    """What a scraper reads on `host`, by name and labels, these in the order of their names."""
    status, body = fetched(host, "/metrics")
    assert status == 200
    read = [sample for family in text_string_to_metric_families(body) for sample in family.samples]
    return {named(sample.name, **sample.labels): sample.value for sample in read}


def named(name: str, **labels: str) -> str:
    """A sample's name with its labels."""
    told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{told}}}" if told else name
