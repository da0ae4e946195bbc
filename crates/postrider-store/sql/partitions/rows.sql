-- How many rows a partition has: counted up to a gigabyte, estimated beyond.
SELECT postrider.partition_rows($1)
