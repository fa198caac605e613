"""The earliest of some deadlines, in seconds of one clock; asked for after each message, so a plain loop."""


def soonest(*times: float | None) -> float | None:
    """The earliest; None where none is set."""
    found = None
    for at in times:
        if at is not None and (found is None or at < found):
            found = at
    return found
