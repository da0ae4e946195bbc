-- Whether a partition has no row.
SELECT postrider.partition_is_empty($1)
