-- wrk ... URL -- PAGES: asks for one page after the other, as pip asks. PAGES has a path a line.
local pages = {}
local number = 0

function init(args)
   wrk.headers["User-Agent"] = "pip/26.0"
   wrk.headers["Accept"] = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
   wrk.headers["Accept-Encoding"] = "gzip, deflate"
   for path in io.lines(args[1]) do
      pages[#pages + 1] = wrk.format("GET", path)
   end
end

function request()
   number = number % #pages + 1
   return pages[number]
end
