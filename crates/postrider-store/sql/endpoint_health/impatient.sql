-- In this transaction nobody waits long for a row that somebody else holds: what is kept of other endpoints waits behind it.
SET LOCAL lock_timeout = '500ms'
