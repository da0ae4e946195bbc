-- The next command on the way to a partition that has every index of its parent; no row: all have. A command of its own, since
-- CREATE INDEX … CONCURRENTLY takes no part in a transaction; and whether it stands in the way of others while it waits for its lock. Reads the catalog, and whether partitions are empty.
SELECT CASE
           WHEN l.broken THEN format('DROP INDEX CONCURRENTLY postrider.%I', l.index)
           WHEN l.definition IS NOT NULL THEN 'CREATE INDEX CONCURRENTLY ' || l.definition
           ELSE format('ALTER INDEX postrider.%I ATTACH PARTITION postrider.%I', l.parent_index, l.index)
       END,
       NOT l.broken AND l.definition IS NULL
FROM postrider.lacking_indexes_v1() l
LIMIT 1
