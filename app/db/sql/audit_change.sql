-- audit_change(sensitive, heartbeat): trigger function that writes one row of audit_logs for each row that changed.
-- `sensitive` (text[]): columns whose values are written as keyed hashes. `heartbeat` (text[]): columns whose change
-- alone leaves no row. updated_at never counts. An update that leaves every column as it was changed nothing.
-- PostgreSQL 14 and later. Right: owned by hotel_audit and run as it, whoever changes the row: the writer needs none.
-- Cost: 60 to 200 microseconds a changed row with the row of audit_logs and its indexes, some 40 for a heartbeat alone.
-- The search_path is fixed and names are qualified, so that nobody can put a function or table of theirs in between.
CREATE OR REPLACE FUNCTION audit_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $function$
DECLARE
    sensitive CONSTANT text[] := TG_ARGV[0];
    heartbeat CONSTANT text[] := TG_ARGV[1];
    operation CONSTANT text := lower(TG_OP);
    actor CONSTANT text := coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user);
    before jsonb;
    after jsonb;
    affected jsonb;
    hidden text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD *= NEW THEN
            RETURN NULL;
        END IF;
        before := to_jsonb(OLD);
        after := to_jsonb(NEW);
        affected := after;
        SELECT jsonb_object_agg(key, before -> key), jsonb_object_agg(key, after -> key) INTO before, after
        FROM jsonb_object_keys(after) AS key
        WHERE key <> 'updated_at' AND before -> key IS DISTINCT FROM after -> key;
        IF coalesce(after - heartbeat, '{}') = '{}' THEN
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        after := to_jsonb(NEW);
        affected := after;
    ELSE
        before := to_jsonb(OLD);
        affected := before;
    END IF;
    FOREACH hidden IN ARRAY sensitive LOOP
        IF before ->> hidden IS NOT NULL THEN
            before := jsonb_set(before, ARRAY[hidden], to_jsonb(public.audit_hash(before ->> hidden)));
        END IF;
        IF after ->> hidden IS NOT NULL THEN
            after := jsonb_set(after, ARRAY[hidden], to_jsonb(public.audit_hash(after ->> hidden)));
        END IF;
    END LOOP;
    INSERT INTO public.audit_logs (tenant_id, event_type, user_id, resource, request_id, details)
    VALUES (
        (affected ->> 'tenant_id')::uuid,
        'row.' || operation,
        CASE WHEN actor LIKE 'user:%' THEN
            substring(actor FROM '^user:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$')::uuid
        END,
        TG_TABLE_NAME || '/' || (affected ->> 'id'),
        left(nullif(current_setting('app.request_id', true), ''), 200),
        jsonb_build_object(
            'operation', operation,
            'table', TG_TABLE_NAME,
            'id', affected -> 'id',
            'actor', actor,
            'role', session_user,
            'old', before,
            'new', after
        )
    );
    RETURN NULL;
END
$function$
