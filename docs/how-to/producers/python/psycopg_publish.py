import json
import os
import sys

import psycopg


def place_order(db, order, cents):
    """Stores an order and publishes it. Returns the event's id and what became of it."""
    with db.transaction():  # commits at the end, rolls back on any exception
        db.execute(
            "INSERT INTO orders (id, total_cents) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (order, cents),
        )
        published = db.execute(
            "SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => %s, data => %s)",
            ([str(order)], json.dumps({"order": order, "total_cents": cents})),
        ).fetchone()
        if cents > 100_000:
            raise ValueError("an order of this size needs approval")
        return published


with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
    print(*place_order(db, int(sys.argv[1]), int(sys.argv[2])))
