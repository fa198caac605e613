"""How the API says no: metav1.Status with code, reason and message as kube-apiserver words them."""

from typing import Any


class Refusal(Exception):
    """A request refused: HTTP `code`, `reason` and message of its Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    @property
    def status(self) -> dict[str, Any]:
        """The Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }


def missing(plural: str, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{plural} "{name}" not found')


def there_already(plural: str, name: str) -> Refusal:
    return Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists')


def modified(plural: str, name: str) -> Refusal:
    what = "the object has been modified; please apply your changes to the latest version and try again"
    return Refusal(409, "Conflict", f'Operation cannot be fulfilled on {plural} "{name}": {what}')


def precondition(kind: str, name: str, field: str, wanted: str, found: str) -> Refusal:
    what = f"the {field} in the precondition ({wanted}) does not match the {field} in record ({found})"
    return Refusal(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {what}')


def invalid(kind: str, name: str, field: str, why: str) -> Refusal:
    return Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {field}: Invalid value: {why}')


def bad(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def expired(message: str) -> Refusal:
    return Refusal(410, "Expired", message)
