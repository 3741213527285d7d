-- wrk: POST one body again and again; at the end print counts and percentiles (microseconds) as one JSON line.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. (os.getenv("BENCH_KEY") or "")

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"n_requests": %d, "seconds": %.6f, "p50_us": %d, "p95_us": %d, "n_failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(95),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
