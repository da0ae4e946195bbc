-- Notes that the ledger's block-range index was made anew. One row.
UPDATE postrider.ledger_state s SET indexed_at = s.pruned_to
