-- Whether publishing takes declared types only, from now on. No row: it is so already. One row.
UPDATE postrider.installation i SET catalog_strict = $1 WHERE i.catalog_strict <> $1 RETURNING i.catalog_strict
