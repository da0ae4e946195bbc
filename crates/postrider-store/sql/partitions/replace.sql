-- Puts finer partitions in the place of a detached, empty one, in one transaction with the registry. 0: there were rows in
-- it, it is attached again. Index: partitions_name.
SELECT postrider.replace_partition($1, $2, $3)
