-- What the endpoint of tips needs besides schema.sql.
CREATE TABLE IF NOT EXISTS tips (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key_id uuid NOT NULL UNIQUE,
    user_id            bigint NOT NULL REFERENCES users,
    ride_id            bigint NOT NULL REFERENCES rides,
    amount             bigint NOT NULL,
    charge_key         uuid NOT NULL DEFAULT gen_random_uuid(),
    stripe_charge_id   stripe_id UNIQUE,
    created_at         timestamptz NOT NULL DEFAULT now()
);
