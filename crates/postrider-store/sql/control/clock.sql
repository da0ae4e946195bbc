-- The database's clock, the only one that counts.
SELECT clock_timestamp()
