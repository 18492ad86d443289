# Lines of the format of the role nginx as fields between tabs. GoAccess reads JSON itself, but no
# names with dots in them. What is no JSON is passed over.
fromjson?
| [
    .["@timestamp"][:10], .["@timestamp"][11:19], .["client.ip"], .["url.domain"],
    .["http.request.method"], .["url.original"], "HTTP/" + .["http.version"],
    .["http.response.status_code"], .["http.response.bytes"], (.["event.duration"] / 1000 | floor),
    .["http.request.referrer"], .["user_agent.original"]
  ]
| map(if . == "" then "-" else . end)
| @tsv
