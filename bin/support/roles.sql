-- One role for each process, with the rights that its statements need and no others. Load it after schema.sql, as the
-- owner of the tables: `psql -v ON_ERROR_STOP=1 -f bin/support/roles.sql`. It may be loaded again, and in several
-- databases at once. How to use the roles: docs/operations.md.

BEGIN;

-- The lock of schema.sql, because two set-ups that grant rights on the same table would disturb each other.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('rocket rides schema')); END $$;

-- A new role has the password of the setting rocket.password, or none. A role that exists stays as it is.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['rocket_api', 'rocket_completer', 'rocket_enqueuer', 'rocket_reaper', 'rocket_simulator']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            -- Roles belong to all databases of the server, but the lock above to this one. So another set-up may make
            -- the role at this moment.
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', role,
                               nullif(current_setting('rocket.password', true), ''));
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
    END LOOP;
END $$;

-- Takes away what an older version of this file gave.
REVOKE ALL ON users, api_tokens, idempotency_keys, key_attempts, staged_jobs, rides, refunds, deposits, accounts,
              audit_records
    FROM rocket_api, rocket_completer, rocket_enqueuer, rocket_reaper, rocket_simulator;
REVOKE ALL ON SEQUENCE rides_id_seq
    FROM rocket_api, rocket_completer, rocket_enqueuer, rocket_reaper, rocket_simulator;
REVOKE ALL ON FUNCTION remove_old_audit_records
    FROM rocket_api, rocket_completer, rocket_enqueuer, rocket_reaper, rocket_simulator;

-- ---- api and completer

-- Only the api claims keys, so only it makes them. A key whose request is refused is deleted.
GRANT SELECT, DELETE ON idempotency_keys TO rocket_api, rocket_completer;
GRANT INSERT (id, user_id, idempotency_key, request_method, request_path, request_params, origin_ip, traceparent, lease,
              locked_at, recovery_point)
    ON idempotency_keys TO rocket_api;
GRANT UPDATE (lease, locked_at, last_run_at, attempts, recovery_point, response_code, response_body, finished_at,
              parked_at, last_error)
    ON idempotency_keys TO rocket_api, rocket_completer;
GRANT UPDATE (traceparent) ON idempotency_keys TO rocket_api;
-- Completers count their own attempts. Operators begin the count anew when they resume a key, in a shell or at /ops.
GRANT UPDATE (completions, resumed_at) ON idempotency_keys TO rocket_api, rocket_completer;
-- Both write the history of keys. Nobody may change it or choose its time.
GRANT SELECT, DELETE, INSERT (key_id, attempt, process, host, from_point, to_point, outcome, reason, error)
    ON key_attempts TO rocket_api, rocket_completer;
-- /lab makes keys older.
GRANT UPDATE (created_at) ON idempotency_keys TO rocket_api;

GRANT SELECT ON users, api_tokens TO rocket_api;
GRANT UPDATE (last_used_at) ON api_tokens TO rocket_api;
GRANT SELECT (id, email, stripe_customer_id) ON users TO rocket_completer;

-- What a request has made stays as it was made. Only the ids that the provider gives come later.
GRANT USAGE ON SEQUENCE rides_id_seq TO rocket_api, rocket_completer;
GRANT SELECT, UPDATE (stripe_charge_id),
      INSERT (id, idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, price_cents, charge_key,
              created_at)
    ON rides TO rocket_api, rocket_completer;
GRANT SELECT, UPDATE (stripe_refund_id, refunded_at), INSERT (ride_id, idempotency_key_id, stripe_charge_id)
    ON refunds TO rocket_api, rocket_completer;
GRANT SELECT (id, idempotency_key_id), INSERT (idempotency_key_id, user_id, amount)
    ON deposits TO rocket_api, rocket_completer;
GRANT SELECT, INSERT (user_id, balance), UPDATE (balance) ON accounts TO rocket_api, rocket_completer;

GRANT INSERT (job_name, job_args, traceparent) ON staged_jobs TO rocket_api, rocket_completer;
-- Operators see which jobs of a ride wait.
GRANT SELECT (id, job_id, job_name, job_args, created_at) ON staged_jobs TO rocket_api, rocket_completer;

-- Nobody may change a record or choose its time. Only remove_old_audit_records() removes some.
GRANT INSERT (action, resource_type, resource_id, user_id, origin_ip, data)
    ON audit_records TO rocket_api, rocket_completer;
-- Operators see what others of them did to a key.
GRANT SELECT (action, data, created_at) ON audit_records TO rocket_api, rocket_completer;

-- ---- enqueuer

GRANT SELECT, DELETE ON staged_jobs TO rocket_enqueuer;
-- FOR UPDATE needs the right to update a column. An id can only be drawn anew, which changes the order of jobs at most.
GRANT UPDATE (id) ON staged_jobs TO rocket_enqueuer;

-- ---- reaper

GRANT SELECT (id, finished_at), DELETE ON idempotency_keys TO rocket_reaper;
-- FOR UPDATE, as above. No process decides anything by this column.
GRANT UPDATE (last_error) ON idempotency_keys TO rocket_reaper;
-- The history of a key goes with it.
GRANT SELECT (key_id, id), DELETE ON key_attempts TO rocket_reaper;
-- These are for RIDE_RETENTION_S and AUDIT_RETENTION_S.
GRANT SELECT (id, idempotency_key_id, created_at), DELETE ON rides TO rocket_reaper;
GRANT SELECT (ride_id, refunded_at), DELETE ON refunds TO rocket_reaper;
GRANT EXECUTE ON FUNCTION remove_old_audit_records TO rocket_reaper;

-- ---- simulator

GRANT SELECT (id, email), INSERT (email, stripe_customer_id) ON users TO rocket_simulator;
GRANT SELECT (name, created_at, last_used_at), INSERT (id, token_hash, user_id, name, scopes), DELETE
    ON api_tokens TO rocket_simulator;
-- `simulator --verify` reads these.
GRANT SELECT ON idempotency_keys, key_attempts, staged_jobs, rides, refunds, deposits, accounts, audit_records
    TO rocket_simulator;

COMMIT;
