-- Yardstick (b), for pgbench: a ride in two transactions of a single statement each, which is the least that keeps
-- the charge outside of any transaction.
\set first random(1000000000000000, 9223372036854775806)
\set second random(1000000000000000, 9223372036854775806)

WITH caller AS (
  SELECT id, stripe_customer_id FROM users WHERE email = 'user@example.com'
), key AS (
  INSERT INTO idempotency_keys AS k (id, user_id, idempotency_key, request_method, request_path, request_params,
                                     origin_ip, recovery_point, lease, locked_at)
  SELECT gen_random_uuid(), id, to_hex(:first::bigint) || to_hex(:second::bigint), 'POST', '/rides',
         '{"origin_lat": 1.5, "origin_lon": 2.5, "target_lat": 3.5, "target_lon": 4.5}', '127.0.0.1',
         'ride_created', gen_random_uuid(), now()
    FROM caller
  ON CONFLICT (user_id, idempotency_key) DO NOTHING
  RETURNING id, user_id, origin_ip, request_params, lease
), ride AS (
  INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, price_cents)
  SELECT id, user_id, (request_params->>'origin_lat')::float8, (request_params->>'origin_lon')::float8,
         (request_params->>'target_lat')::float8, (request_params->>'target_lon')::float8, 2000
    FROM key
  RETURNING id, charge_key
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'created', 'ride', ride.id, user_id, origin_ip, request_params FROM key, ride
)
SELECT key.id AS key_id, lease, ride.id AS ride_id, charge_key, stripe_customer_id FROM key, ride, caller \gset

WITH key AS (
  UPDATE idempotency_keys k
     SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
         response_code = 201,
         response_body = (SELECT to_json(answer) FROM
           (SELECT 'Payment accepted. Your pilot is on their way!' AS message, to_json(ride) AS ride FROM
             (SELECT r.id, r.origin_lat, r.origin_lon, r.target_lat, r.target_lon,
                     'ch_0123456789abcdef01234567' AS stripe_charge_id, r.created_at
                FROM rides r WHERE r.id = :ride_id) ride) answer)
   WHERE id = :key_id AND lease = :lease AND recovery_point = 'ride_created'
  RETURNING id, user_id, response_code, response_body
), ride AS (
  UPDATE rides SET stripe_charge_id = 'ch_0123456789abcdef01234567' FROM key WHERE rides.id = :ride_id
), receipt AS (
  INSERT INTO staged_jobs (job_name, job_args)
  SELECT 'send_ride_receipt', jsonb_build_object('ride_id', :ride_id::bigint, 'user_id', user_id,
                                                 'amount_cents', 2000, 'currency', 'usd')
    FROM key
)
SELECT response_code, response_body FROM key;
