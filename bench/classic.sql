-- Yardstick (a), for pgbench: the classic way, each phase a SERIALIZABLE transaction of several statements. If a
-- transaction fails to serialize, pgbench repeats the script from its beginning. The script then goes on from its
-- recovery point.
\set first random(1000000000000000, 9223372036854775806)
\set second random(1000000000000000, 9223372036854775806)
\set key_id 0

BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT id AS user_id, stripe_customer_id FROM users WHERE email = 'user@example.com' \gset
SELECT count(*) AS found, coalesce(max(id::text), '') AS key_id,
       coalesce(max(CASE recovery_point WHEN 'started' THEN 1 WHEN 'ride_created' THEN 2
                                        WHEN 'charge_created' THEN 3 ELSE 4 END), 1) AS point
  FROM idempotency_keys
 WHERE user_id = :user_id AND idempotency_key = to_hex(:first::bigint) || to_hex(:second::bigint) \gset
\if :found = 0
INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params, origin_ip,
                              lease, locked_at)
VALUES (gen_random_uuid(), :user_id, to_hex(:first::bigint) || to_hex(:second::bigint), 'POST', '/rides',
        '{"origin_lat": 1.5, "origin_lon": 2.5, "target_lat": 3.5, "target_lon": 4.5}', '127.0.0.1',
        gen_random_uuid(), now())
RETURNING id AS key_id \gset
\endif
COMMIT;

\if :point = 1
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon)
VALUES (:key_id, :user_id, 1.5, 2.5, 3.5, 4.5)
RETURNING id AS ride_id \gset
INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
VALUES ('created', 'ride', :ride_id, :user_id, '127.0.0.1',
        '{"origin_lat": 1.5, "origin_lon": 2.5, "target_lat": 3.5, "target_lon": 4.5}');
UPDATE idempotency_keys SET recovery_point = 'ride_created' WHERE id = :key_id;
COMMIT;
\endif

\if :point <= 2
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT charge_key FROM rides WHERE idempotency_key_id = :key_id;
UPDATE rides SET stripe_charge_id = 'ch_0123456789abcdef01234567' WHERE idempotency_key_id = :key_id;
UPDATE idempotency_keys SET recovery_point = 'charge_created' WHERE id = :key_id;
COMMIT;
\endif

\if :point <= 3
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT id AS ride_id FROM rides WHERE idempotency_key_id = :key_id \gset
INSERT INTO staged_jobs (job_name, job_args)
VALUES ('send_ride_receipt', jsonb_build_object('ride_id', :ride_id::bigint, 'user_id', :user_id::bigint,
                                                'amount_cents', 2000, 'currency', 'usd'));
UPDATE idempotency_keys
   SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
       response_code = 201,
       response_body = '{"message":"Payment accepted. Your pilot is on their way!","ride":{"id":1000000,"origin_lat":1.5,"origin_lon":2.5,"target_lat":3.5,"target_lon":4.5,"stripe_charge_id":"ch_0123456789abcdef01234567","created_at":"2026-01-01T00:00:00.000000+00:00"}}'
 WHERE id = :key_id;
COMMIT;
\endif
