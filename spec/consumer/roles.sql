-- The role of donations, with the rights that its statements need. Load schema.sql first.
DO $$
BEGIN
    CREATE ROLE donations LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    -- Roles belong to all databases of the server.
    NULL;
END $$;
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO donations', current_schema()); END $$;
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO donations;
GRANT SELECT, INSERT, DELETE ON key_attempts TO donations;
GRANT SELECT, INSERT, UPDATE (charge_id) ON donations TO donations;
GRANT USAGE ON SEQUENCE donations_id_seq TO donations;
