-- Who this installation is. One row.
SELECT i.id FROM postrider.installation i
