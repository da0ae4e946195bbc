-- Makes the ledger's block-range index anew: ranges whose pages were emptied and filled again never shrink by themselves.
REINDEX INDEX CONCURRENTLY postrider.webhook_event_ids_seq
