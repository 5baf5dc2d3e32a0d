-- What wrk sends, and one line with what it saw (durations in microseconds), read by load.rs.
wrk.method = "{{method}}"
{{headers}}
if {{upload}} > 0 then
    wrk.body = string.rep("x", {{upload}})
end

function done(summary, latency)
    local e = summary.errors
    print(string.format("result %d %d %d %d %d %d %d %d",
        summary.duration, summary.requests, summary.bytes,
        e.connect + e.read + e.write + e.timeout, e.status,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
