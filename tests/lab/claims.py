"""What agents say of a VIP and of each other, and when all of them say the same."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.lab.agents import Agent
from tests.lab.net import Lan
from tests.lab.steps import answering
from tests.lab.waiting import eventually

PATIENCE = 20.0


def claim(agent: Agent, address: str) -> dict[str, Any]:
    """What `agent` says of a VIP: owner, heir, epoch, cause; nothing while it does not know it."""
    vips = agent.status().get("vips", ())
    return next((each for each in vips if each["ip"] == address), {})


def states(agent: Agent) -> dict[str, str]:
    """Members by name: alive, suspect, dead."""
    return {each["name"]: each["state"] for each in agent.status().get("members", ())}


def finding(agent: Agent, word: str) -> dict[str, str]:
    """What needs an operator, by its word; nothing while it does not stand."""
    found = agent.status().get("findings", ())
    return next((each for each in found if each["finding"] == word), {})


def agreed(agents: Sequence[Agent], address: str) -> str:
    """The owner of a VIP, where all agents name the same with the same heir, which lives; else nothing."""
    told = [claim(agent, address) for agent in agents]
    found = {(each.get("owner", ""), each.get("heir", ""), each.get("epoch", 0)) for each in told}
    owner, heir, _ = next(iter(found))
    names = {agent.host.name for agent in agents}
    return str(owner) if len(found) == 1 and owner != heir and {owner, heir} <= names else ""


def all_alive(agents: Sequence[Agent]) -> bool:
    """Whether each of these thinks that all of them live."""
    names = {agent.host.name for agent in agents}
    return all(names <= {agent.host.name, *_living(agent)} for agent in agents)


def _living(agent: Agent) -> list[str]:
    return [name for name, state in states(agent).items() if state == "alive"]


def settled(lan: Lan, agents: Sequence[Agent], address: str) -> Agent:
    """The owner of a VIP once all of these live, agree, and it alone answers."""
    eventually(partial(all_alive, agents), "all members think that all live", PATIENCE)
    name = eventually(partial(agreed, agents, address), f"all agree on owner and heir of {address}", PATIENCE)
    eventually(lambda: answering(lan, address) == [name], f"{name} alone answers for {address}", PATIENCE)
    return next(agent for agent in agents if agent.host.name == name)


def others(agents: Sequence[Agent], agent: Agent) -> list[Agent]:
    """All but one."""
    return [each for each in agents if each is not agent]
