"""Whether a Secret holds the password of a session; pure, and without a look at the password itself."""

from collections.abc import Collection

PASSWORD_TYPE, PASSWORD = "kubernetes.io/basic-auth", "password"
"""Type of such a Secret, and the key in it, as MetalLB demands them."""
MOST_OCTETS = 80
"""Of a password: TCP_MD5SIG_MAXKEYLEN of Linux."""
MISSING = "does not exist"
"""What is wrong with a Secret that may come yet."""


def fault(type_: str, keys: Collection[str]) -> str:
    """What is wrong with a Secret of this type, which has these keys; "" nothing."""
    if type_ != PASSWORD_TYPE:
        return f"is of type {type_ or 'Opaque'}, not {PASSWORD_TYPE}"
    return "" if PASSWORD in keys else f"has no key {PASSWORD}"


def length_fault(octets: int) -> str:
    """What is wrong with a password of as many octets; "" nothing."""
    if not octets:
        return f"has an empty {PASSWORD}"
    return f"has a {PASSWORD} of {octets} octets, over {MOST_OCTETS}" if octets > MOST_OCTETS else ""
