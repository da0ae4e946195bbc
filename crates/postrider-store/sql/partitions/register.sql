-- Enters an attached partition that the registry does not know. Index: partitions_pkey. Null bounds are infinite.
INSERT INTO postrider.partitions (parent, name, kind, lo, hi)
VALUES ($1, $2, $3, coalesce($4, '-infinity'), coalesce($5, 'infinity'))
ON CONFLICT DO NOTHING
