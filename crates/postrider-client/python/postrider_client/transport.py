"""Sends a request until it is answered or may not be sent again, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional
from urllib.parse import quote, urlencode, urlsplit

MOST_RETRIES = 3
MOST_WAIT = 30  # seconds; a longer wait is the caller's to decide


class PostriderError(Exception):
    """A call failed."""


class Problem(PostriderError):
    """The API answered with a problem (RFC 9457)."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code: str = body.get("code", "unknown")  # stable: what a program goes by
        self.detail: str = body.get("detail", "the answer is no problem that this client knows")
        self.request_id: Optional[str] = body.get("request_id")
        self.errors: List[Dict[str, str]] = body.get("errors", [])  # each with pointer, code and detail
        super().__init__(f"{self.detail} ({self.code}, request {self.request_id})")


class Unreachable(PostriderError):
    """No answer came: the connection was refused, lost, or took too long. It may have been carried out."""


@dataclass
class Answer:
    """An answer that is no problem."""

    status: int
    headers: Dict[str, str]  # names in lower case
    body: Any


class Transport:
    def __init__(self, address: str, key: str, timeout: float) -> None:
        url = urlsplit(address)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("the address of the API begins with neither http:// nor https://")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("the key is none of postrider api-keys create")
        self.address = address.rstrip("/")
        self._url, self._key, self._timeout = url, key, timeout
        self._tls = ssl.create_default_context() if url.scheme == "https" else None

    def send(self, method: str, target: str, *, body: Any = None, headers: Optional[Mapping[str, str]] = None) -> Answer:
        sent = {"accept": "application/json, application/problem+json"}
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            sent["content-type"] = "application/json"
        if method == "POST":
            sent["idempotency-key"] = secrets.token_hex(16)
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
        safe = method == "GET" or "idempotency-key" in sent
        if self._key:
            sent["authorization"] = f"Bearer {self._key}"
        for number in range(MOST_RETRIES + 1):
            failure: PostriderError
            try:
                answer = self._try_once(method, target, content, sent)
            except (OSError, http.client.HTTPException) as lost:
                failure, wait = Unreachable(f"{method} {target}: the API gave no answer ({type(lost).__name__})"), 0.2 * 2**number
            else:
                if 200 <= answer.status < 300:
                    return answer
                failure = Problem(answer.status, answer.body if isinstance(answer.body, dict) else {})
                wait = pause(answer, failure)
            if not safe or wait is None or number == MOST_RETRIES:
                raise failure
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _try_once(self, method: str, target: str, content: Optional[bytes], headers: Mapping[str, str]) -> Answer:
        host, port = self._url.hostname or "", self._url.port
        if self._tls:
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            connection.request(method, self._url.path.rstrip("/") + target, content, dict(headers))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        given = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, given, read(text) if text else None)


def read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # a proxy's page, say: the status tells enough


def pause(answer: Answer, problem: Problem) -> Optional[float]:
    """How long to wait before the same is asked again; None: not at all."""
    try:
        seconds = int(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    again = answer.status in (429, 503) or problem.code == "idempotency_key.under_way"
    return seconds if again and 0 <= seconds <= MOST_WAIT else None


class Resource:
    """What all resources have in common."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @staticmethod
    def _part(text: str) -> str:
        return quote(text, safe="").replace(".", "%2E") if text in (".", "..") else quote(text, safe="")

    def _call(self, method, path, *, query=None, body=None, idempotency_key=None, if_match=None) -> Any:
        given = {"idempotency-key": idempotency_key, "if-match": if_match}
        headers = {name: value for name, value in given.items() if value is not None}
        return self._transport.send(method, with_query(path, query), body=body, headers=headers).body

    def _pages(self, method, path, *, query=None) -> Iterator[Any]:
        query = dict(query or {})
        while True:
            page = self._call(method, path, query=query)
            yield from page["data"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]


def with_query(path: str, query: Optional[Mapping[str, Any]]) -> str:
    words = {True: "true", False: "false"}
    pairs = {name: words.get(value, value) if isinstance(value, bool) else value for name, value in (query or {}).items()}
    pairs = {name: value for name, value in pairs.items() if value is not None}
    return f"{path}?{urlencode(pairs)}" if pairs else path
