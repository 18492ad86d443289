// Graphs of one app, drawn by Graphite; one that there are no numbers for is left out. Names are
// <prefix>.<host>.<kind>.<app>.<what>, as the role statsd makes them of what gunicorn and the app say,
// and <prefix>.<host>.gauges.apps.<host>.<app>.<what>, which the role app_metrics says.

const element = (id) => document.getElementById(id);
const ask = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`Graphite answers ${answer.status} to ${path}`);
  return answer.json();
};
const query = (pairs) => new URLSearchParams(pairs).toString();

// What a graph needs to be drawn, and how it is drawn. Minutes: the width of a point.
const STEP = { "1h": 1, "6h": 2, "24h": 10, "7d": 60, "30d": 240 };
const perMinute = (series, step) => `scale(summarize(sumSeries(${series}),"${step}min","sum"),${1 / step})`;
const each = (series, node, step) =>
  `groupByNode(scale(summarize(${series},"${step}min","sum"),${1 / step}),${node},"sum")`;
const line = (series, name, color) => `color(alias(${series},"${name}"),"${color}")`;
const graphs = (app, step) => {
  const counters = `*.*.counters.${app}`;
  const gauges = `*.*.gauges.${app}`;
  const told = `*.*.gauges.apps.*.${app}`;
  const duration = `*.*.timers.${app}.gunicorn.request.duration`;
  const status = (first) => `${counters}.gunicorn.request.status.${first}*.count`;
  const highest = (series) => `summarize(maxSeries(${series}),"${step}min","max")`;
  return [
    ["Requests", "a minute, by status", status(""), { areaMode: "stacked", yMin: 0 }, [
      line(perMinute(status(2), step), "2xx", "2f9e60"),
      line(perMinute(status(3), step), "3xx", "3b82c4"),
      line(perMinute(status(4), step), "4xx", "d99a1c"),
      line(perMinute(status(5), step), "5xx", "d04545"),
    ]],
    ["Errors", "a minute", status("[45]"), { yMin: 0 }, [
      each(status("[45]"), 7, step),
      line(perMinute(`${counters}.gunicorn.log.{error,critical,exception}.count`, step), "logged", "9a5cc4"),
    ]],
    ["Response time", "milliseconds, of the slowest host", `${duration}.upper`, { yMin: 0 }, [
      line(highest(`${duration}.upper_99`), "99 %", "d04545"),
      line(highest(`${duration}.upper_95`), "95 %", "d99a1c"),
      line(highest(`${duration}.upper_50`), "half", "2f9e60"),
    ]],
    ["Processes", "", `${told}.processes_up`, { yMin: 0 }, [`groupByNode(${told}.processes_{wanted,up,current},6,"sum")`]],
    ["Restarts", `in ${step} min`, `${told}.*.restarts_total`, { yMin: 0 }, [
      `groupByNode(summarize(nonNegativeDerivative(keepLastValue(${told}.*.restarts_total)),"${step}min","sum"),6,"sum")`,
    ]],
    ["Memory", "bytes, over all hosts", `${told}.*.resident_memory_bytes`, { yMin: 0, yUnitSystem: "binary" },
      [`groupByNode(${told}.*.resident_memory_bytes,6,"sum")`]],
    ["Gate", "seconds until the last release was proven", `${told}.*.gate.move_seconds`, { yMin: 0 },
      [`groupByNode(${told}.*.gate.move_seconds,6,"max")`]],
    ["Counted by the app", "a minute", `${counters}.*.count`, { yMin: 0 },
      [each(`${counters}.*.count`, 4, step)]],
    ["Measured by the app", "", `${gauges}.*`, {}, [`groupByNode(${gauges}.*,4,"sum")`]],
  ];
};

// Lines where a release went live, or failed to.
const deploys = (app) => [["good", "2f9e60"], ["bad", "d04545"]].map(([outcome, color]) =>
  line(`drawAsInfinite(events("${app}-${outcome}"))`, outcome === "good" ? "deploy" : "failed deploy", color));

const picture = (title, app, range, options, targets) => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const image = document.createElement("img");
  image.alt = `${title} of ${app} in the last ${range}`;
  image.loading = "lazy";
  image.src = `/render?${query([
    ...[...targets, ...deploys(app)].map((target) => ["target", target]),
    ...Object.entries({
      format: "svg", width: 640, height: 320, from: `-${range}`, lineWidth: 2, fontSize: 11,
      lineMode: "connected", hideNullFromLegend: true, margin: 8, tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
      bgcolor: dark ? "14181e" : "ffffff", fgcolor: dark ? "e6eaf0" : "1c2430",
      majorGridLineColor: dark ? "333b46" : "d9dee5", minorGridLineColor: dark ? "14181e" : "ffffff", ...options,
    }),
  ])}`;
  return image;
};

const rows = (body, cells) => body.replaceChildren(...cells.map((texts) => {
  const row = document.createElement("tr");
  row.append(...texts.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return row;
}));

const draw = async (app, range) => {
  const wanted = graphs(app, STEP[range]);
  const known = await ask(`/metrics/expand?${query([["groupByExpr", 1], ...wanted.map((graph) => ["query", graph[2]])])}`);
  element("graphs").replaceChildren(...wanted.filter((graph) => known.results[graph[2]]?.length).map(
    ([title, unit, , options, targets]) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.append(title, " ", Object.assign(document.createElement("small"), { textContent: unit }));
      figure.append(caption, picture(title, app, range, options, targets));
      return figure;
    }));

  const counted = await ask(`/render?${query({
    target: `groupByNode(*.*.counters.${app}.gunicorn.request.status.*.count,7,"sum")`, from: `-${range}`, format: "json",
  })}`);
  rows(element("statuses"), counted.map((series) =>
    [series.target, series.datapoints.reduce((sum, [value]) => sum + value, 0).toLocaleString()]));

  const told = await ask(`/events/get_data?${query({ tags: app, from: `-${range}` })}`);
  rows(element("events"), told.reverse().map((event) => [new Date(event.when * 1000).toLocaleString(), event.what]));
};

const say = (text) => { element("message").textContent = text; };
const refresh = async () => {
  const [app, range] = [element("app").value, element("range").value];
  if (!app) return;
  // A link to this page shows the same.
  history.replaceState(null, "", `?${query({ app, range })}`);
  try {
    await draw(app, range);
    say("");
  } catch (error) {
    say(error.message);
  }
};

const start = async () => {
  const asked = new URLSearchParams(location.search);
  const { results } = await ask("/metrics/expand?query=*.*.counters.*&query=*.*.gauges.*&query=*.*.gauges.apps.*.*");
  const names = results.map((name) => name.split(".")).map((parts) => parts[5] ?? parts[3]);
  const apps = [...new Set(names)].filter((name) => !["apps", "statsd"].includes(name)).sort();
  element("app").replaceChildren(...apps.map((name) => new Option(name, name, false, name === asked.get("app"))));
  if (asked.get("range") in STEP) element("range").value = asked.get("range");
  say(apps.length ? "" : "No app has said anything yet.");
  for (const id of ["app", "range"]) element(id).addEventListener("change", refresh);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  setInterval(() => { if (!document.hidden) refresh(); }, 60_000);
  await refresh();
};

start().catch((error) => say(error.message));
