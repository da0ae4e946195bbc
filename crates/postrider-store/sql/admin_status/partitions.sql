-- The partitions of each table: how many, and until when there is one for every day. A few hundred rows; reads them all.
SELECT p.parent, count(*) AS partitions, max(p.hi) FILTER (WHERE p.kind = 'day') AS days_until, bool_or(p.kind = 'tail') AS has_tail
FROM postrider.partitions p
GROUP BY p.parent
ORDER BY p.parent
