package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/lib/pq"
)

// placeOrder stores an order and publishes it. It gives the event's id and what became of it.
func placeOrder(ctx context.Context, db *sql.DB, order, cents int) (id, outcome string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", "", err
	}
	defer tx.Rollback() // does nothing after Commit
	_, err = tx.ExecContext(ctx, "INSERT INTO orders (id, total_cents) VALUES ($1, $2) ON CONFLICT DO NOTHING", order, cents)
	if err != nil {
		return "", "", err
	}
	data, err := json.Marshal(map[string]int{"order": order, "total_cents": cents})
	if err != nil {
		return "", "", err
	}
	row := tx.QueryRowContext(ctx,
		"SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => $1, data => $2)",
		pq.Array([]string{strconv.Itoa(order)}), string(data))
	if err = row.Scan(&id, &outcome); err != nil {
		return "", "", err
	}
	if cents > 100_000 {
		return "", "", errors.New("an order of this size needs approval")
	}
	return id, outcome, tx.Commit()
}

func main() {
	db, err := sql.Open("postgres", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	order, _ := strconv.Atoi(os.Args[1])
	cents, _ := strconv.Atoi(os.Args[2])
	id, outcome, err := placeOrder(context.Background(), db, order, cents)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(id, outcome)
}
