"""Publishes events and manages endpoints over the HTTP API of a Postrider daemon.

    from postrider_client import Client

    client = Client("https://postrider.example.com", key)
    published = client.events.publish({"type": "order.paid", "key": ["1001"], "data": {"order": 1001}})
    for event in client.events.list(type="order.*"):
        print(event["id"])

Answers are dictionaries with known keys (`postrider_client.types`). Whoever can reach the database publishes by SQL instead, in the
transaction that stores the fact.
"""

from .resources import Resources
from .transport import Answer, PostriderError, Problem, Transport, Unreachable

__all__ = ["Answer", "Client", "PostriderError", "Problem", "Unreachable"]


class Client(Resources):
    """A client of one daemon's API with one key of `postrider api-keys create`. It holds no connection, and threads may share it.

    An empty key sends none, for a daemon that runs with `--dev` on the same machine. `timeout` is for one try, in seconds.
    """

    def __init__(self, address: str, key: str = "", *, timeout: float = 60.0) -> None:
        self._transport = Transport(address, key, timeout)
        super().__init__(self._transport)

    def send(self, method, target, *, body=None, headers=None) -> Answer:
        """Sends any request to a path with its query: for what the resources have no method for, and for headers such as `etag`."""
        return self._transport.send(method, target, body=body, headers=headers)

    def __repr__(self) -> str:
        return f"Client({self._transport.address!r})"
