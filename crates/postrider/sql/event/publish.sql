-- One event, in the caller's transaction. Needs EXECUTE and nothing else; the ledger's primary key serves it.
SELECT postrider.publish_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
