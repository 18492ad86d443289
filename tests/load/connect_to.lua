-- wrk sends the name in its URL as SNI and resolves that name. This lets it connect elsewhere, as
-- `curl --connect-to` does: WRK_ADDRESS and WRK_PORT say where.
function wrk.resolve()
   wrk.addrs = wrk.lookup(os.getenv("WRK_ADDRESS"), os.getenv("WRK_PORT"))
end
