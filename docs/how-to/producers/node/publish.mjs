import pg from 'pg'

/** Stores an order and publishes it. Gives the event's id and what became of it. */
async function placeOrder(db, order, cents) {
  await db.query('BEGIN')
  try {
    await db.query('INSERT INTO orders (id, total_cents) VALUES ($1, $2) ON CONFLICT DO NOTHING', [order, cents])
    const { rows: [published] } = await db.query(
      "SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => $1, data => $2)",
      [[String(order)], JSON.stringify({ order, total_cents: cents })],
    )
    if (cents > 100_000) throw new Error('an order of this size needs approval')
    await db.query('COMMIT')
    return published
  } catch (error) {
    await db.query('ROLLBACK')
    throw error
  }
}

const db = new pg.Client({ connectionString: process.env.DATABASE_URL })
await db.connect()
try {
  const published = await placeOrder(db, Number(process.argv[2]), Number(process.argv[3]))
  console.log(published.event_id, published.outcome)
} finally {
  await db.end()
}
