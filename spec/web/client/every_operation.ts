// A client with types that are generated from openapi.yaml. It does not compile when an operation is missing here, or
// takes or answers something else than it says. Prints what each operation answered.
import createClient from 'openapi-fetch';
import type { operations, paths } from './api.js';

declare const process: { argv: [string, string, string] };
const api = createClient<paths>({ baseUrl: process.argv[2], headers: { Authorization: 'user@example.com' } });
const keyed = (key: string) => ({ header: { 'Idempotency-Key': key } });
const key = crypto.randomUUID();
// Without raise_error: nobody needs to send it.
const body = { origin_lat: 1.5, origin_lon: -2.25, target_lat: 3, target_lon: 4 };

const booked = await api.POST('/rides', { params: keyed(key), body });
if (booked.error) throw new Error(`${booked.response.status}: ${JSON.stringify(booked.error)}`);
const ride: number = booked.data.ride.id;
const charge: string = booked.data.ride.stripe_charge_id;
const path = { path: { id: ride } };
const page = { parseAs: 'text' } as const;

const answers: Record<keyof operations, Promise<{ response: Response; error?: unknown }>> = {
  bookRide: Promise.resolve(booked),
  listRides: api.GET('/rides', { params: { query: { limit: 1 } } }),
  headRides: api.HEAD('/rides'),
  optionsRides: api.OPTIONS('/rides'),
  getRide: api.GET('/rides/{id}', { params: path }),
  headRide: api.HEAD('/rides/{id}', { params: path }),
  optionsRide: api.OPTIONS('/rides/{id}', { params: path }),
  cancelRide: api.DELETE('/rides/{id}', { params: { ...path, ...keyed(crypto.randomUUID()) } }),
  getIdempotencyKey: api.GET('/idempotency-keys/{key}', { params: { path: { key } } }),
  headIdempotencyKey: api.HEAD('/idempotency-keys/{key}', { params: { path: { key } } }),
  optionsIdempotencyKey: api.OPTIONS('/idempotency-keys/{key}', { params: { path: { key } } }),
  deposit: api.POST('/deposits', { body: { amount: 20 } }),
  depositPage: api.GET('/deposits', page),
  headDepositPage: api.HEAD('/deposits'),
  optionsDepositPage: api.OPTIONS('/deposits'),
  getAccount: api.GET('/account'),
  headAccount: api.HEAD('/account'),
  optionsAccount: api.OPTIONS('/account'),
  getHealth: api.GET('/healthz'),
  headHealth: api.HEAD('/healthz'),
  optionsHealth: api.OPTIONS('/healthz'),
  getReadiness: api.GET('/readyz'),
  headReadiness: api.HEAD('/readyz'),
  optionsReadiness: api.OPTIONS('/readyz'),
  ridePage: api.GET('/', page),
  headRidePage: api.HEAD('/'),
  optionsRidePage: api.OPTIONS('/'),
  policyPage: api.GET('/docs/idempotency', page),
  headPolicyPage: api.HEAD('/docs/idempotency'),
  optionsPolicyPage: api.OPTIONS('/docs/idempotency'),
  descriptionPage: api.GET('/docs/api', page),
  headDescriptionPage: api.HEAD('/docs/api'),
  optionsDescriptionPage: api.OPTIONS('/docs/api'),
  openapi: api.GET('/openapi.yaml', page),
  headOpenapi: api.HEAD('/openapi.yaml'),
  optionsOpenapi: api.OPTIONS('/openapi.yaml'),
};
for (const [name, answer] of Object.entries(answers)) {
  const { response, error } = await answer;
  console.log(`${name} ${response.status}${error === undefined ? '' : ` ${JSON.stringify(error)}`}`);
}

// What is refused has a type too.
const refused = await api.POST('/rides', { params: keyed('short'), body });
if (refused.data) throw new Error('a short key is no key');
console.log(`refused ${refused.error.code}, charged ${charge !== ''}`);
