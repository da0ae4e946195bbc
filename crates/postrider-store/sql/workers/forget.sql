-- Takes a worker that stopped, or was found dead and has no lease left, out of the fleet. Index: webhook_workers_pkey.
DELETE FROM postrider.webhook_workers w WHERE w.incarnation = $1
