-- Attaches a detached partition again. Index: partitions_name.
SELECT postrider.attach_partition($1, $2)
