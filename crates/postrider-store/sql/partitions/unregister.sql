-- Strikes a partition out of the registry, if there is no such table. Index: partitions_name.
DELETE FROM postrider.partitions r WHERE r.parent = $1 AND r.name = $2 AND to_regclass(format('postrider.%I', r.name)) IS NULL
