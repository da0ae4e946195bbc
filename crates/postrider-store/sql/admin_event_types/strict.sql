-- Whether publishing takes declared types only. One row.
SELECT i.catalog_strict FROM postrider.installation i
