-- Enters a worker into the fleet, after it took the lock on its incarnation.
INSERT INTO postrider.webhook_workers (incarnation, name, pid, version, roles, liveness, wakeup)
OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7)
