require "json"
require "pg"

# Stores an order and publishes it. Returns the event's id and what became of it.
def place_order(db, order, cents)
  db.transaction do |tx| # commits at the end, rolls back on any exception
    tx.exec_params("INSERT INTO orders (id, total_cents) VALUES ($1, $2) ON CONFLICT DO NOTHING", [order, cents])
    published = tx.exec_params(
      "SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => ARRAY[$1], data => $2)",
      [order.to_s, JSON.generate({ order: order, total_cents: cents })]
    )
    raise "an order of this size needs approval" if cents > 100_000

    published[0].values_at("event_id", "outcome")
  end
end

db = PG.connect(ENV.fetch("DATABASE_URL"))
puts place_order(db, Integer(ARGV[0]), Integer(ARGV[1])).join(" ")
