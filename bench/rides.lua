-- wrk script: POST /rides, every request with a key of its own.
local thread_count = 0

function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end

function init()
  math.randomseed(os.time() * 1000 + number)
  prefix = string.format("bench-%d-%d-%08x", os.time(), number, math.random(0, 0x7fffffff))
  sent = 0
  refused = 0
end

function request()
  sent = sent + 1
  return wrk.format("POST", "/rides", {
    ["Authorization"] = "user@example.com",
    ["Idempotency-Key"] = prefix .. "-" .. sent,
    ["Content-Type"] = "application/x-www-form-urlencoded",
  }, "origin_lat=1.5&origin_lon=2.5&target_lat=3.5&target_lon=4.5")
end
