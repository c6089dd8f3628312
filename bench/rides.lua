-- wrk script: POST /rides, every request with a key of its own. Prints one line of tab-separated figures: rides a
-- second, the median, 99th and 99.9th percentile of latency in ms, and how many requests failed.
--
-- BENCH_USERS is the number of users that take turns; BENCH_EMAIL the only one instead.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  math.randomseed(os.time() * 1000 + number)
  users = tonumber(os.getenv("BENCH_USERS") or "1")
  email = os.getenv("BENCH_EMAIL")
  sent = 0
end

local function hexadecimal()
  return string.format("%08x", math.random(0, 0x7fffffff))
end

function request()
  sent = sent + 1
  return wrk.format("POST", "/rides", {
    ["Authorization"] = email or ("rider-" .. sent % users .. "@example.com"),
    ["Idempotency-Key"] = hexadecimal() .. hexadecimal() .. hexadecimal() .. hexadecimal(),
    ["Content-Type"] = "application/x-www-form-urlencoded",
  }, "origin_lat=1.5&origin_lon=2.5&target_lat=3.5&target_lon=4.5")
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format("figures\t%.0f\t%.2f\t%.2f\t%.2f\t%d\n", summary.requests * 1e6 / summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, failed))
end
