// How a device does: every .telemetry names an address with {points}; drawn as small curves over time, kept up to date.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const strokes = ["--busy", "--accent", "--bad"];
  const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const curves = [
    { title: "Images a second", series: { fps: (point) => point.fps } },
    { title: "Latency, ms", series: { p50: (point) => point.latency_p50_ms, p95: (point) => point.latency_p95_ms, p99: (point) => point.latency_p99_ms } },
    { title: "Left out a second", series: { skipped: (point) => total(point.skipped) / point.seconds, late: (point) => point.late / point.seconds, failed: (point) => point.failed / point.seconds } },
    { title: "In the queue", series: { waiting: (point) => point.waiting } },
    { title: "Temperature, °C", series: { temperature: (point) => point.machine.temperature_celsius } },
    { title: "Memory, MB", series: { memory: (point) => point.machine.memory_mb } },
  ];

  function told(points, curve) {
    const rows = Object.values(curve.series).map((value) => points.map((point) => value(point) ?? null));
    return rows.some((row) => row.some((value) => value !== null)) ? [points.map((point) => Date.parse(point.at) / 1000), ...rows] : null;
  }

  function draw(place, curve, data) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const series = Object.keys(curve.series).map((label, i) => ({ label, stroke: colour(strokes[i]), width: 2, spanGaps: false, points: { size: 4 }, value: (_, value) => value === null ? "–" : value.toFixed(1) }));
    const range = (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, (most ?? 0) * 1.1)];
    return new uPlot({ title: curve.title, width: place.clientWidth, height: 150, scales: { y: { range } }, axes: [axis, axis], series: [{ label: "until" }, ...series] }, data, place);
  }

  function now(points) {
    const { fps, latency_p50_ms: p50, latency_p95_ms: p95, latency_p99_ms: p99, machine } = points[points.length - 1];
    const ms = (value) => value === null ? "–" : value.toFixed(1);
    const warm = machine.temperature_celsius === null ? "" : `, ${machine.temperature_celsius.toFixed(0)} °C`;
    return `${fps.toFixed(1)} images a second, latency p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)} ms${warm}. ${leftOut(points)}`;
  }

  function leftOut(points) {
    const sums = {};
    for (const point of points) for (const [why, count] of Object.entries(point.skipped)) sums[why] = (sums[why] ?? 0) + count;
    const words = Object.entries(sums).map(([why, count]) => `${why} ${count}`).join(", ");
    return words ? `Left out in this time: ${words}.` : "Nothing was left out in this time.";
  }

  function watch(place) {
    let plots = [];
    async function refresh() {
      const answer = await fetch(place.dataset.src);
      if (!answer.ok) return;
      const { points } = await answer.json();
      if (!points.length) return;
      const components = [...new Set(points.map((point) => point.component))];
      plots.forEach((plot) => plot.destroy());
      plots = [];
      place.replaceChildren();
      for (const component of components) {
        const mine = points.filter((point) => point.component === component);
        const name = document.createElement("p"), grid = document.createElement("div");
        name.className = "lead";
        name.textContent = `${component ? component + ": " : ""}${now(mine)}`;
        grid.className = "curves";
        place.append(name, grid);
        for (const curve of curves) {
          const data = told(mine, curve);
          if (!data) continue;
          const cell = document.createElement("div");
          grid.append(cell);
          plots.push(draw(cell, curve, data));
        }
      }
      place.dataset.points = String(points.length);
    }
    refresh();
    setInterval(refresh, 30000);
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".telemetry").forEach(watch));
})();
