"""The client against a running daemon: API_ADDRESS and API_KEY (an admin's) say which. `crates/postrider-client/check` starts one."""

import os
import re
import socket
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from postrider_client import Client, Problem, Unreachable

ADDRESS, KEY = os.environ["API_ADDRESS"], os.environ["API_KEY"]
TENANT = f"python-{os.getpid()}"
client = Client(ADDRESS, KEY)


class Receiver(BaseHTTPRequestHandler):
    """What arrives at the endpoints of these tests."""

    received = []

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.received.append(self.headers["webhook-id"])
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def until(what, condition):
    """Waits until a condition holds."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within 30 seconds")


class Faulty:
    """A way to the daemon on which each connection has a fault: `lose` the answer, be `busy`, or `pass`. Those after the last pass."""

    def __init__(self, *faults):
        self.faults, self.seen = list(faults), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self.exchange(accepted, self.faults.pop(0) if self.faults else "pass")

    def exchange(self, accepted, fault):
        with accepted:
            request = self.read(accepted)
            self.seen.append(request.decode())
            if fault.startswith("busy"):
                retry = "retry-after: 0\r\n" if fault == "busy" else ""
                body = '{"status":503,"code":"database.busy","detail":"busy","request_id":"r"}'
                accepted.sendall(f"HTTP/1.1 503 x\r\n{retry}content-length: {len(body)}\r\n\r\n{body}".encode())
                return
            url = urlsplit(ADDRESS)
            with socket.create_connection((url.hostname, url.port)) as onward:
                onward.sendall(request)
                answer = self.read(onward)
            if fault == "pass":
                accepted.sendall(answer)

    @staticmethod
    def read(stream):
        """One message with its body."""
        text = b""
        while b"\r\n\r\n" not in text:
            text += stream.recv(65536)
        head, _, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(body) < int(length[1]):
            body += stream.recv(65536)
        return head + b"\r\n\r\n" + body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = f"http://127.0.0.1:{cls.server.server_port}/"

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def refused(self, call, code=None, status=None):
        with self.assertRaises(Problem) as caught:
            call()
        problem = caught.exception
        if code:
            self.assertEqual(problem.code, code)
        if status:
            self.assertEqual(problem.status, status)
        self.assertTrue(problem.request_id)
        self.assertNotIn(KEY, repr(problem) + str(vars(problem)))
        return problem

    def test_an_event_is_published_once_and_its_problems_are_typed(self):
        event = {"type": "order.paid", "tenant_id": TENANT, "key": ["once"], "data": {"order": 1}}
        published = client.events.publish(event)
        self.assertEqual(published["outcome"], "inserted")
        self.assertEqual(client.events.publish(event)["outcome"], "duplicate")
        self.refused(lambda: client.events.publish({**event, "data": {}}), "event.conflict", 409)
        problem = self.refused(lambda: client.events.publish({**event, "type": "a b"}), status=422)
        self.assertEqual(problem.errors[0]["pointer"], "/type")
        shown = client.events.get(published["id"], tenant_id=TENANT)
        self.assertEqual(shown["envelope"]["data"], {"order": 1})
        self.assertEqual(client.events.explain(published["id"], tenant_id=TENANT)["data"], [])

    def test_a_list_goes_on_over_its_pages(self):
        event = {"type": "page.turned", "tenant_id": TENANT}
        ids = [client.events.publish({**event, "data": n})["id"] for n in range(5)]
        listed = client.events.list(tenant_id=TENANT, type="page.turned", limit=2)
        self.assertEqual([event["id"] for event in listed], ids[::-1])

    def test_an_endpoint_lives_gets_events_and_what_went_wrong_is_sent_again(self):
        created = client.endpoints.create({"url": self.url, "tenant_id": TENANT, "event_types": ["shop.*"]})
        self.assertTrue(created["secret"].startswith("whsec_"))
        endpoint = created["id"]
        self.assertEqual(client.endpoints.get(endpoint)["url"], self.url)
        self.assertEqual(client.endpoints.update(endpoint, {"description": "a shop"})["description"], "a shop")
        self.refused(lambda: client.endpoints.update(endpoint, {"description": "late"}, if_match='"stale"'), status=412)
        self.assertEqual([one["id"] for one in client.endpoints.list(tenant_id=TENANT)], [endpoint])
        self.assertTrue(client.endpoints.rotate_secret(endpoint)["secret"].startswith("whsec_"))

        tested = client.endpoints.test(endpoint)
        until("the test event", lambda: tested["event_id"] in Receiver.received)
        until("its record", lambda: client.deliveries.get(tested["delivery_id"])["status"] == "delivered")
        self.refused(lambda: client.deliveries.cancel(tested["delivery_id"]), status=409)

        published = client.events.publish({"type": "shop.opened", "tenant_id": TENANT, "data": None})["id"]
        until("the event", lambda: published in Receiver.received)
        find = lambda: [one for one in client.events.deliveries(published, tenant_id=TENANT) if one["status"] == "delivered"]
        delivery = until("its delivery", find)[0]
        self.assertEqual(list(client.deliveries.attempts(delivery["id"])), [])  # successes are kept where the endpoint asks for it
        again = client.events.redeliver(published, {"endpoint_id": endpoint}, tenant_id=TENANT)
        self.assertTrue(again["data"][0]["redelivered"])
        until("it again", lambda: Receiver.received.count(published) == 2)

        since = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
        wanted = {"since": since, "statuses": ["delivered"]}
        self.assertTrue(client.endpoints.recover(endpoint, {**wanted, "dry_run": True})["dry_run"])
        job = client.endpoints.recover(endpoint, wanted)
        until("the job", lambda: client.jobs.get(job["id"])["state"] == "done")

        self.assertFalse(client.endpoints.disable(endpoint)["enabled"])
        self.assertTrue(client.endpoints.enable(endpoint)["enabled"])
        self.assertTrue(client.endpoints.delete(endpoint)["deleted"])
        self.refused(lambda: client.endpoints.get(endpoint), "endpoint.not_found", 404)
        actions = {entry["action"] for entry in client.audit.list(tenant_id=TENANT)}
        self.assertLessEqual({"endpoint.created", "endpoint.deleted"}, actions)

    def test_a_key_is_shown_once_sees_its_own_tenant_and_ends_when_it_is_revoked(self):
        created = client.api_keys.create({"name": "python", "tenant_id": TENANT, "scopes": ["read"]})
        theirs = Client(ADDRESS, created["key"])
        self.assertNotIn(created["key"], repr(theirs))
        published = client.events.publish({"type": "other.thing", "tenant_id": f"{TENANT}-other", "data": 1})["id"]
        self.refused(lambda: theirs.events.get(published), "event.not_found", 404)
        self.refused(lambda: theirs.events.publish({"type": "x", "data": 1}), "forbidden", 403)
        client.api_keys.revoke(created["id"])
        self.refused(lambda: theirs.events.get(published), "unauthorized", 401)

    def test_a_post_whose_answer_is_lost_is_sent_again_and_carried_out_once(self):
        with Faulty("lose") as way:
            published = Client(way.address, KEY).events.publish({"type": "lost.once", "tenant_id": TENANT, "data": 1})
        self.assertEqual(published["outcome"], "inserted")
        keys = [re.search(r"idempotency-key: (\S+)", seen)[1] for seen in way.seen]
        self.assertEqual(len(keys), 2)
        self.assertEqual(keys[0], keys[1])
        self.assertEqual(len(list(client.events.list(tenant_id=TENANT, type="lost.once"))), 1)
        event = {"type": "lost.twice", "tenant_id": TENANT, "data": 1}
        twice = [client.events.publish(event, idempotency_key=f"{TENANT}-a-key-of-ours") for _ in range(2)]
        self.assertEqual(twice[0], twice[1])

    def test_what_cannot_be_sent_twice_is_sent_once(self):
        with Faulty("lose", "lose") as way, self.assertRaises(Unreachable) as caught:
            Client(way.address, KEY).endpoints.delete(f"whk_{'0' * 32}")
        self.assertNotIn(KEY, repr(caught.exception))
        self.assertEqual(len(way.seen), 1)

    def test_a_busy_daemon_is_asked_again_when_it_says_after_how_long(self):
        with Faulty("busy", "busy", "busy") as way:
            published = Client(way.address, KEY).events.publish({"type": "busy.once", "tenant_id": TENANT, "data": 1})
        self.assertEqual(published["outcome"], "inserted")
        with Faulty("busy and mute") as way:
            self.refused(lambda: list(Client(way.address, KEY).events.list()), "database.busy", 503)


if __name__ == "__main__":
    unittest.main()
