-- Closes a gap between partitions, in one transaction with the registry. Null bounds are infinite.
SELECT postrider.fill_partitions($1, coalesce($2, '-infinity'), coalesce($3, 'infinity'), $4)
