-- what: the events of one request, which support asks for again and again
-- since: 14
-- right: SELECT on the table
-- cost: reads the whole table: no index leads with request_id
SELECT id, timestamp, event_type, severity, resource
FROM audit_logs
WHERE request_id = 'req-0123456789abcdef';
