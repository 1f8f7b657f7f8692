-- announces every change of an identifier, whoever makes it, to the processes that keep answers.
-- PostgreSQL 14 and later. Right: owner of the table. Cost: that of announce_identifier().
CREATE TRIGGER announce_identifier AFTER INSERT OR UPDATE OR DELETE ON tenant_user_identifiers
FOR EACH ROW EXECUTE FUNCTION announce_identifier()
