-- Who this installation is. One row.
SELECT i.id, i.wakeup_key FROM postrider.installation i
