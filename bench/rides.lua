-- wrk script: POST /rides, every request with a key of its own. Prints one line of tab-separated figures: rides a
-- second, the median, 99th and 99.9th percentile of latency in ms, and how many requests failed.
--
-- BENCH_USERS is the number of users that take turns; BENCH_EMAIL the only one instead. With BENCH_RATE, each connection
-- waits between its requests, so that all BENCH_CONNECTIONS of them together send so many a second, as far as they get
-- answers; the line then has the accepted rides a second, the refused ones, and the 99th percentile of the accepted, or
-- more: as slow as the slowest hundredth of as many of all answers.
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

local rate = tonumber(os.getenv("BENCH_RATE"))
if rate then
  local pause = tonumber(os.getenv("BENCH_CONNECTIONS")) / rate * 1000
  function delay()
    return math.random(0, math.floor(2 * pause))
  end
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
  if rate then
    local accepted = summary.requests - errors.status
    io.write(string.format("figures\t%.0f\t%.0f\t%.2f\t%d\n", accepted * 1e6 / summary.duration,
      errors.status * 1e6 / summary.duration, latency:percentile(100 - accepted / summary.requests) / 1000,
      errors.connect + errors.read + errors.write + errors.timeout))
    return
  end
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format("figures\t%.0f\t%.2f\t%.2f\t%.2f\t%d\n", summary.requests * 1e6 / summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, failed))
end
