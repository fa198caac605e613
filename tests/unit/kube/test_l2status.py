"""What is asked of the API about who answers where."""

from urllib.parse import parse_qs, urlsplit

import pytest

from speakerd.kube import l2status


def asked(path: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}


def test_the_statuses_of_one_service_may_come_from_a_cache_that_knows_our_last_write() -> None:
    query = asked(l2status.page("default", 500, "", "ns/web", since="71"))
    assert query["labelSelector"] == "metallb.io/service-name=web,metallb.io/service-namespace=ns"
    assert (query["resourceVersion"], query["resourceVersionMatch"]) == ("71", "NotOlderThan")


@pytest.mark.parametrize(("token", "since"), [("next", "71"), ("next", ""), ("", "")])
def test_a_page_that_goes_on_and_the_list_of_all_name_no_version(token: str, since: str) -> None:
    query = asked(l2status.page("default", 500, token, since=since))
    assert query.get("continue", "") == token
    assert "resourceVersion" not in query
