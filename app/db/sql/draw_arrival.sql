-- Draws an arrival number: every row that will ever have a smaller one is being written by a transaction that is
-- running now, or has been written. PostgreSQL 14 and later. Right: USAGE on the sequence. Cost: none to speak of.
SELECT nextval('audit_arrivals')
