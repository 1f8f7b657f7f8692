-- what: how many of the traffic's backends have not ended yet; a backend hands in its counters when it ends
-- since: 14
-- right: none beyond logging in
-- cost: one look at the list of backends
SELECT count(*) FROM pg_stat_activity WHERE application_name = %(name)s;
