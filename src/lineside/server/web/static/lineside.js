// Curves: every .chart names a JSON address with points {series, epoch, value}; drawn with uPlot and kept up to date.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const strokes = ["--accent", "--busy", "--good", "--warn", "--bad", "--soft"];

  function table(points) {
    const names = [...new Set(points.map((point) => point.series))];
    const epochs = [...new Set(points.map((point) => point.epoch))].sort((a, b) => a - b);
    const at = new Map(points.map((point) => [point.series + " " + point.epoch, point.value]));
    return { names, data: [epochs, ...names.map((name) => epochs.map((epoch) => at.get(name + " " + epoch) ?? null))] };
  }

  function draw(place, names, data) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const series = names.map((label, i) => ({ label, stroke: colour(strokes[i % strokes.length]), width: 2, spanGaps: true }));
    place.replaceChildren();
    return new uPlot({ width: place.clientWidth, height: 220, scales: { x: { time: false } }, axes: [{ ...axis, label: "epoch" }, axis], series: [{ label: "epoch" }, ...series] }, data, place);
  }

  function watch(place) {
    let plot = null, shown = "";
    const wanted = place.dataset.series;
    async function refresh() {
      const answer = await fetch(place.dataset.src);
      if (!answer.ok) return;
      const points = (await answer.json()).filter((point) => !wanted || point.series.startsWith(wanted));
      const { names, data } = table(points);
      if (!data[0].length) return;
      if (plot && shown === names.join()) plot.setData(data);
      else { plot?.destroy(); plot = draw(place, names, data); shown = names.join(); }
      place.dataset.points = String(data[0].length);
    }
    refresh();
    if (place.dataset.live === "true") setInterval(refresh, 2000);
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".chart").forEach(watch));
})();
