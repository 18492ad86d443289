-- wrk sends the name in its URL as SNI and resolves that name. This lets it connect elsewhere, as
-- `curl --connect-to` does: WRK_ADDRESS and WRK_PORT say where.
function wrk.resolve()
   wrk.addrs = wrk.lookup(os.getenv("WRK_ADDRESS"), os.getenv("WRK_PORT"))
end

-- WRK_POST_PATH: every second request is a POST there.
local post_path = os.getenv("WRK_POST_PATH")
if post_path then
   local body = string.rep("twelve factors ", 70)
   local headers = { ["Content-Type"] = "application/octet-stream" }
   local sent = 0
   function request()
      sent = sent + 1
      if sent % 2 == 0 then
         return wrk.format("POST", post_path, headers, body)
      end
      return wrk.format("GET")
   end
end

-- WRK_PAUSE_MS: what each connection waits before a request.
local pause = tonumber(os.getenv("WRK_PAUSE_MS") or "")
if pause then
   function delay()
      return pause
   end
end
