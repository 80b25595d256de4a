-- Sends the bodies of a file through wrk, one a line, and reports the latency of every answer.
--
-- Usage: wrk -tN -cN -dS -s replay.lua URL -- BODIES REPEAT ROWS. One thread has one connection, so that an answer
-- belongs to the request before it; thread n sends lines n, n + N, ... With REPEAT 1 it begins again at the end, else it
-- stops. With ROWS 1 an answer with a failed row counts as an error. A line of an empty body is a GET.
-- wrk's own percentiles are not used: it corrects them for requests that were never sent.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long s; long ns; } timespec_t;
  int clock_gettime(int, timespec_t *);
]]

local threads = {}
local time = ffi.new("timespec_t")

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.s) * 1e6 + tonumber(time.ns) / 1e3
end

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  requests, latencies, failed, at, first, last = {}, {}, 0, 0, 0, 0
  again, rows = args[2] == "1", args[3] == "1"
  local threads_in_all, line = tonumber(args[4]), 0
  for body in io.lines(args[1]) do
    if line % threads_in_all == number then
      table.insert(requests, body == "" and wrk.format("GET") or wrk.format("POST", nil, nil, body))
    end
    line = line + 1
  end
end

function request()
  if number == 0 and not probed then -- wrk asks the first thread once before it starts, and sends nothing
    probed = true
    return requests[1]
  end
  local chosen = requests[at % #requests + 1]
  at = at + 1
  began = now()
  if first == 0 then first = began end
  return chosen
end

function response(status, headers, body)
  last = now()
  latencies[#latencies + 1] = string.format("%.0f", last - began)
  if status >= 400 or (rows and string.find(body, '"status":[45]%d%d')) then failed = failed + 1 end
  if not again and at >= #requests then wrk.thread:stop() end
end

function done(summary)
  local out = {}
  for _, thread in ipairs(threads) do
    table.insert(out, string.format('{"first_us":%.0f,"last_us":%.0f,"failed":%d,"latency_us":[%s]}',
      thread:get("first"), thread:get("last"), thread:get("failed"), table.concat(thread:get("latencies"), ",")))
  end
  local errors = summary.errors
  io.write(string.format('RESULT {"lost":%d,"clients":[%s]}\n',
    errors.connect + errors.read + errors.write + errors.timeout, table.concat(out, ",")))
end
