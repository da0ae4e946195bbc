-- Keeps what is decided, for processes to come. Index: webhook_horizon_pkey. $1 seq.
UPDATE postrider.webhook_horizon h SET seq = $1 WHERE h.singleton AND h.seq < $1
