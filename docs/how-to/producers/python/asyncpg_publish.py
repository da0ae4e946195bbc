import asyncio
import json
import os
import sys

import asyncpg


async def place_order(db, order, cents):
    """Stores an order and publishes it. Returns the event's id and what became of it."""
    async with db.transaction():  # commits at the end, rolls back on any exception
        await db.execute(
            "INSERT INTO orders (id, total_cents) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            order,
            cents,
        )
        published = await db.fetchrow(
            "SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => $1, data => $2)",
            [str(order)],
            json.dumps({"order": order, "total_cents": cents}),
        )
        if cents > 100_000:
            raise ValueError("an order of this size needs approval")
        return published


async def main(order, cents):
    db = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        print(*await place_order(db, order, cents))
    finally:
        await db.close()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
