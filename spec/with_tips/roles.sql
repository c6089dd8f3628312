-- What the roles of bin/support/roles.sql need for the endpoint of tips.
GRANT SELECT, UPDATE (stripe_charge_id), INSERT (idempotency_key_id, user_id, ride_id, amount)
    ON tips TO rocket_api, rocket_completer;
GRANT SELECT ON tips TO rocket_simulator;
