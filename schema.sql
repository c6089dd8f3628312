-- The only definition of the database. Load it with `psql -v ON_ERROR_STOP=1 -f schema.sql`; it may be loaded
-- again. PostgreSQL forbids here all that it can forbid, so that the code can rely on it.

BEGIN;

-- Two set-ups started together must not create the same table twice.
SELECT pg_advisory_xact_lock(hashtext('rocket rides schema'));

-- ---- the engine's tables

-- The allowed values. These are domains, because PostgreSQL reads a domain's CHECK once for each session, but
-- a table's CHECK again for each statement that writes the table. All domains of a block are made together.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_type WHERE typname = 'idempotency_key' AND typnamespace = quote_ident(current_schema())::regnamespace) THEN
        ASSERT to_regtype('attempt_text') IS NOT NULL, 'this database was made for an older version; make a new one';
        RETURN;
    END IF;
    CREATE DOMAIN idempotency_key  AS text COLLATE "C" CHECK (length(VALUE) BETWEEN 20 AND 255);
    CREATE DOMAIN changing_method  AS text             CHECK (VALUE IN ('POST', 'PUT', 'PATCH', 'DELETE'));
    CREATE DOMAIN request_path     AS text             CHECK (length(VALUE) <= 255);
    CREATE DOMAIN recovery_point   AS text             CHECK (length(VALUE) <= 50);
    CREATE DOMAIN final_status     AS smallint         CHECK (VALUE BETWEEN 200 AND 599);
    CREATE DOMAIN attempt_count    AS integer          CHECK (VALUE > 0);
    CREATE DOMAIN completion_count AS integer          CHECK (VALUE >= 0);
    CREATE DOMAIN job_name         AS text             CHECK (VALUE <> '' AND length(VALUE) <= 100);
    CREATE DOMAIN attempt_outcome  AS text             CHECK (VALUE IN ('finished', 'released', 'parked', 'lost',
                                                                        'resumed', 'closed'));
    CREATE DOMAIN attempt_reason   AS text             CHECK (VALUE IN ('no_answer', 'database_unavailable', 'failed',
                                                                        'stopped', 'needs_person'));
    CREATE DOMAIN attempt_text     AS text             CHECK (length(VALUE) <= 500);
    CREATE DOMAIN traceparent      AS text COLLATE "C" CHECK (VALUE ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
END $$;

-- One row is one request of one user: what was asked, how far it got, and what was answered.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    -- The process that claims the key chooses it (time-ordered, RFC 9562), so that a claim and the phase
    -- after it can be sent to the database together.
    id              uuid PRIMARY KEY,
    -- The owner of the key. The engine only compares this number.
    user_id         bigint NOT NULL,
    idempotency_key idempotency_key NOT NULL,

    request_method  changing_method NOT NULL,
    request_path    request_path NOT NULL,
    request_params  jsonb NOT NULL,
    -- The caller's address. It goes into the audit record, whichever process does the work.
    origin_ip       inet,
    -- The trace that the request belongs to (W3C Trace Context), if its latest caller named one. It is passed on,
    -- whichever process does the work.
    traceparent     traceparent,

    recovery_point  recovery_point NOT NULL DEFAULT 'started',

    -- The fencing token: random for each attempt. Only a statement that names it may write.
    lease           uuid,
    -- When the lease was taken; NULL when nobody works on the request.
    locked_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_run_at     timestamptz NOT NULL DEFAULT now(),
    attempts        attempt_count NOT NULL DEFAULT 1,
    -- Attempts by completers only: retries of clients must not use up the attempts that a completer has.
    completions     completion_count NOT NULL DEFAULT 0,

    response_code   final_status,
    response_body   text,
    finished_at     timestamptz,

    -- When the key was parked for a person; see `completer --list-parked`.
    parked_at       timestamptz,
    -- When a person last resumed the key, which also permits repeating an old charge.
    resumed_at      timestamptz,
    last_error      text,

    -- The key comes first, because a release knows the key but perhaps not the user.
    UNIQUE (idempotency_key, user_id),
    CONSTRAINT lease_has_its_time CHECK (num_nonnulls(lease, locked_at) <> 1),
    CONSTRAINT finished_means_answered CHECK
        (num_nonnulls(finished_at, response_code, response_body)
         = CASE recovery_point WHEN 'finished' THEN 3 ELSE 0 END),
    CONSTRAINT held_or_finished_or_parked CHECK (num_nonnulls(locked_at, finished_at, parked_at) <= 1),
    CONSTRAINT parked_for_a_reason CHECK (parked_at IS NULL OR last_error IS NOT NULL)
) WITH (
    -- Leaves room for a second version of the row on its page. Progress is then a heap-only update that
    -- touches no index, because no indexed column changes before the end of the request.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02
);

-- For the completer, which asks for the oldest unfinished keys. Finished and parked keys are not in the
-- index, so it is small.
CREATE INDEX IF NOT EXISTS idempotency_keys_unfinished ON idempotency_keys (created_at)
    WHERE finished_at IS NULL AND parked_at IS NULL;

-- For the reaper, which asks for the keys that finished first.
CREATE INDEX IF NOT EXISTS idempotency_keys_finished ON idempotency_keys (finished_at)
    WHERE finished_at IS NOT NULL;

-- For `completer --list-parked`.
CREATE INDEX IF NOT EXISTS idempotency_keys_parked ON idempotency_keys (parked_at)
    WHERE parked_at IS NOT NULL;

-- What happened to a key that did not succeed at its first attempt: one row for each attempt that ended otherwise, and
-- for the later attempt that finished the key. A key that succeeds at once has no row. No foreign key, because it would
-- cost each deletion of a key a look-up; the statements that delete keys delete these rows too.
CREATE TABLE IF NOT EXISTS key_attempts (
    key_id     uuid NOT NULL,
    -- Later events of a key have larger ids, because each is written under the lock of the key's row.
    id         bigint GENERATED ALWAYS AS IDENTITY,
    -- Which attempt (idempotency_keys.attempts), and who made it. Nobody knows who made one that is lost.
    attempt    attempt_count NOT NULL,
    process    attempt_text,
    host       attempt_text,
    -- Where the key stood before the attempt, and where it stood after it.
    from_point recovery_point,
    to_point   recovery_point,
    -- 'lost': the attempt died, or lost its lease. The one who takes the key over writes this.
    -- 'resumed' and 'closed' tell of an operator's command and not of an attempt.
    outcome    attempt_outcome NOT NULL,
    -- Why, in a word that the owner of the key may see.
    reason     attempt_reason,
    -- Why, in words for operators only. They may tell of internals.
    error      attempt_text,
    -- The time of the event itself, so that a long transaction cannot date it back.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (key_id, id)
);

-- Jobs that become real when their transaction commits; the enqueuer moves them to the job queue.
CREATE TABLE IF NOT EXISTS staged_jobs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Consumers recognise a repeated delivery by this id.
    job_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    job_name    job_name NOT NULL,
    job_args    jsonb NOT NULL,
    -- The trace that the job belongs to, if any. It is delivered with the job.
    traceparent traceparent,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- ---- end of the engine's tables

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_type WHERE typname = 'stripe_id' AND typnamespace = quote_ident(current_schema())::regnamespace) THEN
        RETURN;
    END IF;
    CREATE DOMAIN email_address    AS text COLLATE "C" CHECK (VALUE <> '' AND length(VALUE) <= 255);
    CREATE DOMAIN stripe_id        AS text             CHECK (VALUE <> '' AND length(VALUE) <= 255);
    CREATE DOMAIN api_token_id     AS text             CHECK (VALUE ~ '^[0-9A-Za-z]{12}$');
    CREATE DOMAIN sha256_hex       AS text COLLATE "C" CHECK (VALUE ~ '^[0-9a-f]{64}$');
    CREATE DOMAIN api_scopes       AS text[]           CHECK (VALUE <@ '{read,write,operate}' AND VALUE <> '{}');
    CREATE DOMAIN latitude         AS double precision CHECK (VALUE BETWEEN -90 AND 90);
    CREATE DOMAIN longitude        AS double precision CHECK (VALUE BETWEEN -180 AND 180);
    CREATE DOMAIN deposit_amount   AS bigint           CHECK (VALUE BETWEEN 1 AND 100000);
    CREATE DOMAIN price            AS bigint           CHECK (VALUE > 0);
    CREATE DOMAIN account_balance  AS bigint           CHECK (VALUE >= 0);
    CREATE DOMAIN audit_term       AS text             CHECK (length(VALUE) <= 50);
END $$;

CREATE TABLE IF NOT EXISTS users (
    id                 bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    email              email_address NOT NULL UNIQUE,
    -- The customer at the payment provider; the card itself is never seen here.
    stripe_customer_id stripe_id NOT NULL UNIQUE,
    -- When an operator disabled the user. A disabled user has no valid credentials.
    disabled_at        timestamptz
);

-- Credentials of users. A user may have several, so that one can replace another without a pause. The token
-- itself is shown once, when it is made, and stored nowhere.
CREATE TABLE IF NOT EXISTS api_tokens (
    -- The part of the token that is no secret. Logs and operators name the token by it.
    id           api_token_id PRIMARY KEY,
    -- The hash of the whole token. The secret is long and random, so nobody can find it from its hash.
    token_hash   sha256_hex NOT NULL UNIQUE,
    user_id      bigint NOT NULL REFERENCES users,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    scopes       api_scopes NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    -- This is exact to the hour only, so that using a token seldom writes.
    last_used_at timestamptz,
    revoked_at   timestamptz
) WITH (fillfactor = 80);

-- This index is for lists of a user's tokens.
CREATE INDEX IF NOT EXISTS api_tokens_of_user ON api_tokens (user_id);

-- The engine alone has no table of owners.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'idempotency_keys_user_id_fkey'
                   AND connamespace = quote_ident(current_schema())::regnamespace) THEN
        ALTER TABLE idempotency_keys ADD FOREIGN KEY (user_id) REFERENCES users;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS rides (
    -- BY DEFAULT, because the statement that makes a ride draws the id itself, to write it into two tables at
    -- once.
    id                 bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    -- Unique, because one key makes one ride. No foreign key, because keys are reaped and rides stay.
    idempotency_key_id uuid NOT NULL UNIQUE,
    user_id            bigint NOT NULL REFERENCES users,
    origin_lat         latitude NOT NULL,
    origin_lon         longitude NOT NULL,
    target_lat         latitude NOT NULL,
    target_lon         longitude NOT NULL,
    -- Stored before the first call, so every attempt charges the same, although prices change.
    price_cents        price NOT NULL,
    -- The idempotency key for the provider. It is random, so it is unique across databases. It is stored
    -- before the first call, so it is the same for every attempt.
    charge_key         uuid NOT NULL DEFAULT gen_random_uuid(),
    stripe_charge_id   stripe_id,
    -- Also the earliest time at which charge_key can have been used.
    created_at         timestamptz NOT NULL DEFAULT now()
);

-- For GET /rides, which asks for the latest rides of a user.
CREATE INDEX IF NOT EXISTS rides_of_user ON rides (user_id, id);

-- One row is a ride that is to be cancelled. The ride is cancelled once its charge is refunded.
CREATE TABLE IF NOT EXISTS refunds (
    -- One ride has one refund, whoever asks for it, with whatever key, and however often.
    ride_id            bigint PRIMARY KEY REFERENCES rides,
    -- The request that asked first.
    idempotency_key_id uuid NOT NULL UNIQUE,
    -- The charge of the ride. Without a charge there is nothing to refund, and no charge is refunded for two
    -- rides.
    stripe_charge_id   stripe_id NOT NULL UNIQUE,
    -- The idempotency key for the provider. Like charge_key above, it is stored before the first call, so it
    -- is the same for every attempt.
    refund_key         uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    stripe_refund_id   stripe_id UNIQUE,
    -- Also the earliest time at which refund_key can have been used.
    created_at         timestamptz NOT NULL DEFAULT now(),
    refunded_at        timestamptz,
    CHECK ((stripe_refund_id IS NULL) = (refunded_at IS NULL))
);

CREATE TABLE IF NOT EXISTS deposits (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key_id uuid NOT NULL UNIQUE,
    user_id            bigint NOT NULL REFERENCES users,
    amount             deposit_amount NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now()
);

-- The balance of each user who has ever made a deposit, in whole dollars.
CREATE TABLE IF NOT EXISTS accounts (
    user_id bigint PRIMARY KEY REFERENCES users,
    balance account_balance NOT NULL
) WITH (fillfactor = 50);

-- Who changed what, and from where. Each record is written in the transaction of the change itself.
CREATE TABLE IF NOT EXISTS audit_records (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action        audit_term NOT NULL,
    resource_type audit_term NOT NULL,
    resource_id   bigint NOT NULL,
    user_id       bigint NOT NULL REFERENCES users,
    origin_ip     inet,
    data          jsonb NOT NULL,
    -- The time of the record itself, so that a long transaction cannot date it back.
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- For what operators did to one key. No record of a request is in this index, so it costs requests next to nothing.
CREATE INDEX IF NOT EXISTS audit_records_of_key ON audit_records ((data->>'key_id'))
    WHERE action IN ('key_resumed', 'key_closed');

-- The only way to remove audit records for who may not DELETE them, such as the reaper. None is removed that is
-- younger than 30 days. Returns how many it has removed, at most `most`.
CREATE OR REPLACE FUNCTION remove_old_audit_records(age_s bigint, most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH old AS MATERIALIZED (
        SELECT id, created_at FROM audit_records ORDER BY id LIMIT most
    ), removed AS (
        DELETE FROM audit_records USING old
         WHERE audit_records.id = old.id
           -- At most a thousand years, which a timestamp can hold.
           AND old.created_at < now() - make_interval(secs => least(greatest(age_s, 30 * 86400), 31556952000))
        RETURNING 1
    )
    SELECT count(*) FROM removed
$$;
-- It works as the owner of the tables, so its names must be found where the owner has put them. A temporary table of
-- the caller would come first, unless the path says otherwise.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION remove_old_audit_records SET search_path = %I, pg_temp', current_schema());
END $$;
REVOKE EXECUTE ON FUNCTION remove_old_audit_records FROM PUBLIC;

INSERT INTO users (email, stripe_customer_id) VALUES
    ('user@example.com', 'cus_user'),
    ('user-bad-source@example.com', 'cus_user_bad_source')
ON CONFLICT DO NOTHING;

COMMIT;
