-- wrk script: POST /rides, every request with a key of its own. Prints one line of tab-separated figures: rides a
-- second, the median, 99th and 99.9th percentile of latency in ms, and how many requests failed.
--
-- BENCH_USERS is the number of users that take turns. BENCH_EMAIL is the only user, if it is set. With BENCH_PAUSE_MS,
-- each connection waits so long on average before each of its requests. The line then has the accepted rides a second,
-- the refused rides a second, the median of latency, an upper bound for the 99th percentile of the accepted rides, and
-- how many requests got no answer. The bound is the latency that N of all answers exceed, where N is 1 % of the number
-- of accepted rides.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  math.randomseed(os.time() * 1000 + number)
  local email = os.getenv("BENCH_EMAIL")
  sent = 0
  -- For each user, a request without its key. It is made once, so that the generator uses little of the processors.
  before_key = {}
  after_key = {}
  for user = 1, tonumber(os.getenv("BENCH_USERS") or "1") do
    local whole = wrk.format("POST", "/rides", {
      ["Authorization"] = email or ("rider-" .. user - 1 .. "@example.com"),
      ["Idempotency-Key"] = "KEY",
      ["Content-Type"] = "application/x-www-form-urlencoded",
    }, "origin_lat=1.5&origin_lon=2.5&target_lat=3.5&target_lon=4.5")
    local at, to = whole:find("KEY", 1, true)
    before_key[user] = whole:sub(1, at - 1)
    after_key[user] = whole:sub(to + 1)
  end
end

local pause = tonumber(os.getenv("BENCH_PAUSE_MS"))
if pause and pause > 0 then
  function delay()
    return math.random(0, 2 * pause)
  end
end

function request()
  sent = sent + 1
  local user = sent % #before_key + 1
  local random = math.random
  return before_key[user] .. string.format("%08x%08x%08x%08x", random(0, 0x7fffffff), random(0, 0x7fffffff),
    random(0, 0x7fffffff), random(0, 0x7fffffff)) .. after_key[user]
end

function done(summary, latency)
  local errors = summary.errors
  if pause then
    local accepted = summary.requests - errors.status
    io.write(string.format("figures\t%.0f\t%.0f\t%.2f\t%.2f\t%d\n", accepted * 1e6 / summary.duration,
      errors.status * 1e6 / summary.duration, latency:percentile(50) / 1000,
      latency:percentile(100 - accepted / summary.requests) / 1000,
      errors.connect + errors.read + errors.write + errors.timeout))
    return
  end
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format("figures\t%.0f\t%.2f\t%.2f\t%.2f\t%d\n", summary.requests * 1e6 / summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, failed))
end
