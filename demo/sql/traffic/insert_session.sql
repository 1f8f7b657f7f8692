-- what: start a conversation
-- since: 14
-- right: INSERT on the table
-- cost: one row and five index entries
INSERT INTO sessions (tenant_id, id, user_id, identifier_id, platform, last_message_at, created_at, updated_at)
VALUES (%(tenant)s, %(row)s, %(user)s, %(identifier)s, %(platform)s, %(now)s, %(now)s, %(now)s);
