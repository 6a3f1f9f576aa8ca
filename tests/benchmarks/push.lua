-- A new Docker Hub push in every request: its tag and its time are its own. About 1 KB.
-- Arguments after "--": a name for this run, and a file with one path and query per line.

local BODY = [[{"callback_url": "https://registry.hub.docker.com/u/acme/shop/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
"push_data": {"images": [
"27d47432a69bca5f2700e4dff7de0388ed65f9d3fb1ec645e2bc24c223dc1cc3",
"51a9c7c1f8bb2fa19bcd09789a34e63f35abb80044bc10196e304f6634cc582c",
"4ed2b5a0f2a4be1f1a5a6d9b8d3f36b1f0c6a9d4c6a0f7a1d2b3c4d5e6f70819"],
"pushed_at": %d, "pusher": "trustedbuilder", "tag": "%s-%d"},
"repository": {"comment_count": 0, "date_created": 1417494799,
"description": "The shop's web front end, built by the continuous integration of its team",
"dockerfile": "FROM docker.io/library/python:3.11-slim\nCOPY . /srv/shop\nCMD [\"/srv/shop/run\"]\n",
"full_description": "Docker Hub repository of the shop", "is_official": false, "is_private": true,
"is_trusted": true, "name": "shop", "namespace": "acme", "owner": "acme", "repo_name": "acme/shop",
"repo_url": "https://registry.hub.docker.com/u/acme/shop/", "star_count": 0, "status": "Active"}}]]

local run, paths, count = "", {}, 0

function init(args)
   run = args[1]
   for line in io.lines(args[2]) do paths[#paths + 1] = line end
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   count = count + 1
   local body = string.format(BODY, 1700000000 + count, run, count)
   return wrk.format("POST", paths[count % #paths + 1], nil, body)
end

function done(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format(
      '\n{"requests": %d, "failed": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f}\n',
      summary.requests, failed, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
