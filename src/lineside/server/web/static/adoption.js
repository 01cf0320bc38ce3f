// Versions over time: every .adoption names an address with {now, points}; drawn stacked, as steps, and kept up to date.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const strokes = ["--accent", "--good", "--busy", "--warn", "--bad", "--soft"];
  const MOST = strokes.length;

  // The versions that ever ran on most devices, oldest number first; all others are one.
  function versions(points) {
    const most = new Map();
    for (const point of points) for (const [version, count] of Object.entries(point.versions)) most.set(version, Math.max(count, most.get(version) ?? 0));
    const ordered = [...most].sort((a, b) => b[1] - a[1]).map(([version]) => version);
    const shown = ordered.length > MOST ? ordered.slice(0, MOST - 1) : ordered;
    shown.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    return ordered.length > MOST ? [...shown, "others"] : shown;
  }

  function table(answer) {
    const points = [...answer.points, { at: new Date().toISOString(), versions: answer.now }];
    const names = versions(points);
    const times = points.map((point) => Date.parse(point.at) / 1000);
    const counts = names.map((name) => points.map((point) => name === "others"
      ? Object.entries(point.versions).filter(([version]) => !names.includes(version)).reduce((sum, [, count]) => sum + count, 0)
      : point.versions[name] ?? 0));
    const stacked = counts.map((_, i) => times.map((_, t) => counts.slice(0, i + 1).reduce((sum, row) => sum + row[t], 0)));
    return { names, counts, data: [times, ...stacked] };
  }

  function draw(place, found) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const steps = uPlot.paths.stepped({ align: 1 });
    const series = found.names.map((label, i) => ({ label, stroke: colour(strokes[i]), fill: colour(strokes[i]) + (i ? "" : "80"), width: 1, paths: steps, points: { show: false },
      value: (_, __, seriesIndex, index) => index === null ? "" : found.counts[seriesIndex - 1][index] }));
    const bands = found.names.slice(1).map((_, i) => ({ series: [i + 2, i + 1], fill: colour(strokes[i + 1]) + "80" }));
    place.replaceChildren();
    return new uPlot({ width: place.clientWidth, height: 240, scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } }, axes: [axis, axis], series: [{ label: "at" }, ...series], bands }, found.data, place);
  }

  function watch(place) {
    let plot = null;
    async function refresh() {
      const answer = await fetch(place.dataset.src);
      if (!answer.ok) return;
      const found = table(await answer.json());
      if (!found.names.length) return;
      plot?.destroy();
      plot = draw(place, found);
      place.dataset.versions = found.names.join();
    }
    refresh();
    setInterval(refresh, 30000);
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".adoption").forEach(watch));
})();
