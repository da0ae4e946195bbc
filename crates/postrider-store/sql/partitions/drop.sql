-- Drops a detached partition, in one transaction with the registry. A reason: it is owed, and attached again.
SELECT postrider.drop_partition($1, $2)
