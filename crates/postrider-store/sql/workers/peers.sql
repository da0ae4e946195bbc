-- How many other workers there are. A few rows; reads them all.
SELECT count(*) FROM postrider.webhook_workers w WHERE w.incarnation <> $1
