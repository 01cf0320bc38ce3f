// The review page: leases captures, shows one at a time, sends answers in the order they are given, and goes on at once.
(() => {
  const place = document.getElementById("review");
  if (!place) return;
  const part = (name) => place.querySelector(`[data-part="${name}"]`);
  const stage = new window.ReviewStage(part("stage"), changed);
  const AHEAD = 20, LOW = 8, PRELOAD = 4;
  const filters = JSON.parse(place.dataset.filters);
  let queue = [], now = null, shownAt = 0, sending = Promise.resolve(), asking = false, ended = false, began = 0, count = 0;
  const given = new Map(); // what was sent for a capture, for undo
  const done = new Set();

  async function call(method, path, body) {
    const answer = await fetch(`/api/v1${path}`, { method, headers: { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) });
    const value = await answer.json();
    if (!answer.ok) throw new Error(`${value.error?.message ?? answer.statusText} ${value.error?.next ?? ""}`.trim());
    return value;
  }

  function say(text, bad = false) {
    part("said").textContent = text;
    part("said").classList.toggle("bad", bad);
  }

  const source = (item) => `/pictures/${item.record.digest}?size=${Math.min(4096, Math.max(item.width, item.height, 16))}`;
  const start = (item) => given.get(item.record.id) ?? item.predicted;
  const same = (boxes, others) => boxes.length === others.length && boxes.every((box, at) => ["label", "x", "y", "width", "height"].every((key) => box[key] === others[at][key]));

  // --- the queue ----------------------------------------------------------------------------------------------------

  async function fill() {
    if (asking || ended) return;
    asking = true;
    try {
      const held = queue.length + (now ? 1 : 0);
      const batch = await call("POST", "/review/next", { count: Math.min(100, held + AHEAD), ...filters });
      learn(batch.classes);
      const known = new Set([...queue, ...(now ? [now] : [])].map((item) => item.record.id));
      const fresh = batch.items.filter((item) => !known.has(item.record.id) && !done.has(item.record.id));
      queue.push(...fresh);
      ended = fresh.length === 0;
      part("left").textContent = ended ? `${queue.length + (now ? 1 : 0)}` : `${queue.length + (now ? 1 : 0)} or more`;
    } catch (problem) {
      say(problem.message, true);
      ended = true;
    }
    asking = false;
    if (!now) advance();
    preload();
  }

  const preload = () => queue.slice(0, PRELOAD).forEach((item) => { new Image().src = source(item); });

  function learn(labels) {
    stage.labels.push(...labels.filter((label) => label && !stage.labels.includes(label)));
    if (!stage.label) stage.label = stage.labels[0] ?? "";
    classes();
  }

  function advance() {
    show(queue.shift() ?? null);
    if (queue.length < LOW) fill();
    preload();
  }

  function show(item) {
    now = item;
    place.dataset.capture = item?.record.id ?? "";
    if (!item) {
      stage.clear();
      part("why").textContent = ended ? "Nothing waits for you." : "Loading…";
      part("facts").textContent = ended ? "Devices send some by themselves; a collection asks for more." : "";
      part("alike").replaceChildren();
      return;
    }
    learn([...new Set([...item.predicted, ...(item.labels ?? [])].map((box) => box.label))]);
    stage.show(source(item), item.width, item.height, start(item));
    shownAt = performance.now();
    const { record } = item, model = record.result ? `${record.result.model}:${record.result.version}` : "no model";
    part("why").textContent = `${record.strategy}: ${record.reason}`;
    part("facts").textContent = `${record.device} · ${record.captured_at.slice(0, 19).replace("T", " ")} · ${model} · ${item.width} × ${item.height}${item.state === "waiting" ? "" : ` · ${item.state}`}`;
    alike(item);
  }

  async function alike(item) {
    part("alike").replaceChildren();
    const found = await call("GET", `/review/captures/${encodeURIComponent(item.record.id)}/alike?limit=12`).catch(() => null);
    if (!found || now !== item || found.items.length < 2) return;
    const words = document.createElement("p");
    words.textContent = `${found.items.length}${found.items.length === 12 ? " or more" : ""} near-duplicates`;
    const pictures = found.items.map((one) => {
      const link = document.createElement("a"), picture = document.createElement("img");
      link.href = `/review?capture=${encodeURIComponent(one.record.id)}`;
      link.title = `${one.record.captured_at}, ${one.state}`;
      picture.src = `/datasets/thumbnails/${one.record.digest}`;
      picture.alt = one.record.id;
      link.append(picture);
      return link;
    });
    part("alike").append(words, ...pictures);
  }

  // --- answers ------------------------------------------------------------------------------------------------------

  function answer(kind) {
    if (!now) return;
    const item = now, boxes = stage.boxes.map((box) => ({ ...box }));
    if (kind === "accept" && (!same(boxes, item.predicted) || !item.record.result)) kind = "correct";
    if (kind === "correct" && !boxes.length) kind = "nothing";
    const seconds = (performance.now() - shownAt) / 1000;
    const body = { capture: item.record.id, kind, boxes: kind === "correct" ? boxes : [], seconds };
    given.set(item.record.id, boxes);
    if (kind === "skip") given.delete(item.record.id);
    else done.add(item.record.id);
    sending = sending.then(() => call("POST", "/review/answers?tool=page", body)).then(
      () => told(item, kind, 1),
      (problem) => { say(problem.message, true); done.delete(item.record.id); },
    );
    advance();
  }

  function told(item, kind, by) {
    began ||= performance.now() - 1000;
    count += by;
    const hours = (performance.now() - began) / 3.6e6;
    part("done").textContent = count;
    part("rate").textContent = count > 1 ? `${Math.round(count / hours)} an hour` : "";
    say(by > 0 ? `${item.record.id}: ${kind}` : `${item.record.id} is yours again`);
    place.dataset.sent = Number(place.dataset.sent ?? 0) + 1;
  }

  function undo() {
    sending = sending.then(() => call("POST", "/review/undo")).then(
      (item) => {
        done.delete(item.record.id);
        queue = queue.filter((one) => one.record.id !== item.record.id);
        if (now && now.record.id !== item.record.id) queue.unshift(now);
        ended = false;
        show(item);
        told(item, "", -1);
      },
      (problem) => say(problem.message, true),
    );
  }

  // --- what stands beside the picture -------------------------------------------------------------------------------

  function changed() {
    const list = part("boxes");
    list.replaceChildren(...stage.boxes.map((box, at) => {
      const line = document.createElement("li"), words = document.createElement("button");
      words.type = "button";
      words.textContent = `${box.label} ${[box.x, box.y, box.width, box.height].map((value) => Math.round(value)).join(", ")}`;
      words.setAttribute("aria-pressed", at === stage.selected);
      words.addEventListener("click", () => { stage.selected = at; stage.draw(); changed(); });
      line.append(words);
      return line;
    }));
    classes();
  }

  function classes() {
    const current = stage.boxes[stage.selected]?.label ?? stage.label;
    part("classes").replaceChildren(...stage.labels.map((label, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.textContent = at < 9 ? `${at + 1} ${label}` : label;
      button.style.borderColor = stage.colour(label);
      button.setAttribute("aria-pressed", label === current);
      button.addEventListener("click", () => stage.choose(label));
      return button;
    }));
  }

  const field = part("class");
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") field.blur();
    if (event.key !== "Enter" || !field.value.trim()) return;
    event.preventDefault();
    learn([field.value.trim()]);
    stage.choose(field.value.trim());
    field.value = "";
    stage.svg.focus();
  });

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const keys = {
    Enter: () => answer("accept"), a: () => answer("accept"), n: () => answer("nothing"), u: () => answer("unsure"), s: () => answer("skip"), z: undo,
    b: () => stage.add(), r: () => now && stage.set(now.predicted), c: () => field.focus(), Escape: () => stage.free(),
    Delete: () => stage.remove(), Backspace: () => stage.remove(),
    "+": () => stage.zoom(1.5), "=": () => stage.zoom(1.5), "-": () => stage.zoom(1 / 1.5), 0: () => stage.fit(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
    const arrow = arrows[event.key], key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (arrow) stage.nudge(...arrow.map((part) => part * (event.ctrlKey ? 10 : 1)), event.shiftKey);
    else if (event.key === "Tab") {
      if (document.activeElement !== stage.svg || !stage.step(event.shiftKey ? -1 : 1)) return; // past the last box: on to what comes next on the page
    }
    else if (event.ctrlKey && key !== "z") return;
    else if (/^[1-9]$/.test(key) && stage.labels[key - 1]) stage.choose(stage.labels[key - 1]);
    else if (keys[key]) keys[key]();
    else return;
    event.preventDefault();
  });
  place.querySelectorAll("[data-key]").forEach((button) => button.addEventListener("click", () => { keys[button.dataset.key](); stage.svg.focus(); }));
  window.addEventListener("resize", () => stage.draw());

  async function begin() {
    stage.svg.focus({ preventScroll: true });
    if (place.dataset.wanted) {
      const item = await call("GET", `/review/captures/${encodeURIComponent(place.dataset.wanted)}`).catch((problem) => { say(problem.message, true); });
      if (item?.labels) given.set(item.record.id, item.labels);
      if (item && item.state !== "unreadable") show(item);
    }
    await fill();
  }
  learn(JSON.parse(place.dataset.classes));
  begin();
})();
