// The picture under review: boxes in its own pixels, drawn, moved and resized with the mouse or with keys; zoom.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HANDLES = [["nw", 0, 0], ["ne", 1, 0], ["sw", 0, 1], ["se", 1, 1]];
  const LEAST = 2; // pixels of a side: what is less was a click
  const HUES = [22, 217, 142, 271, 45, 189, 330, 95, 0, 245];

  const make = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

  window.ReviewStage = class {
    constructor(place, changed) {
      this.svg = make("svg", { class: "stage", preserveAspectRatio: "xMidYMid meet", tabindex: "0", role: "application", "aria-label": "Picture with boxes" });
      this.picture = make("image", { x: 0, y: 0, preserveAspectRatio: "none" });
      this.layer = make("g", {});
      this.svg.append(this.picture, this.layer);
      place.append(this.svg);
      this.changed = changed;
      this.boxes = [];
      this.selected = -1;
      this.label = "";
      this.labels = [];
      this.drag = null;
      this.width = this.height = 1;
      this.svg.addEventListener("pointerdown", (event) => this.down(event));
      this.svg.addEventListener("pointermove", (event) => this.move(event));
      this.svg.addEventListener("pointerup", (event) => this.up(event));
      this.svg.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
      this.svg.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, this.at(event)); }, { passive: false });
      this.svg.addEventListener("contextmenu", (event) => event.preventDefault());
    }

    show(source, width, height, boxes) {
      this.width = width;
      this.height = height;
      this.picture.setAttribute("width", width);
      this.picture.setAttribute("height", height);
      this.picture.setAttribute("href", source);
      this.drag = null;
      this.set(boxes);
      this.fit();
    }

    clear() {
      this.picture.removeAttribute("href");
      this.width = this.height = 1;
      this.set([]);
    }

    set(boxes) {
      this.boxes = boxes.map(({ label, x, y, width, height }) => ({ label, x, y, width, height }));
      this.selected = -1;
      this.draw();
      this.changed();
    }

    colour(label) {
      const at = this.labels.indexOf(label);
      return `hsl(${HUES[(at < 0 ? this.labels.length : at) % HUES.length]} 90% 50%)`;
    }

    // --- what is seen -----------------------------------------------------------------------------------------------

    fit() { this.view = { x: 0, y: 0, width: this.width, height: this.height }; this.look(); }

    look() {
      const { x, y, width, height } = this.view;
      this.svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
      this.draw();
    }

    zoom(factor, at) {
      const centre = at ?? { x: this.view.x + this.view.width / 2, y: this.view.y + this.view.height / 2 };
      const width = clamp(this.view.width / factor, Math.min(8, this.width), this.width);
      const scale = width / this.view.width, height = this.view.height * scale;
      this.view = {
        x: clamp(centre.x - (centre.x - this.view.x) * scale, 0, this.width - width),
        y: clamp(centre.y - (centre.y - this.view.y) * scale, 0, this.height - height),
        width, height,
      };
      this.look();
    }

    pan(dx, dy) {
      this.view.x = clamp(this.view.x + dx, 0, this.width - this.view.width);
      this.view.y = clamp(this.view.y + dy, 0, this.height - this.view.height);
      this.look();
    }

    get pixel() { const matrix = this.svg.getScreenCTM(); return matrix ? 1 / matrix.a : 1; } // of the screen, in pixels of the picture

    draw() {
      const size = 9 * this.pixel;
      this.layer.replaceChildren();
      this.boxes.forEach((box, at) => {
        const chosen = at === this.selected;
        const rect = make("rect", { ...this.edges(box), class: chosen ? "box chosen" : "box", "data-at": at, stroke: this.colour(box.label) });
        const title = make("title", {});
        title.textContent = box.label;
        rect.append(title);
        const name = make("text", { x: box.x, y: Math.max(box.y - 4 * this.pixel, 12 * this.pixel), "font-size": 13 * this.pixel, fill: this.colour(box.label) });
        name.textContent = box.label;
        this.layer.append(rect, name);
      });
      const box = this.boxes[this.selected];
      if (!box) return;
      for (const [name, right, below] of HANDLES) {
        const x = box.x + right * box.width - size / 2, y = box.y + below * box.height - size / 2;
        this.layer.append(make("rect", { x, y, width: size, height: size, class: "handle", "data-handle": name }));
      }
    }

    edges({ x, y, width, height }) { return { x, y, width, height }; }

    // --- the mouse --------------------------------------------------------------------------------------------------

    at(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      return { x: clamp(point.x, 0, this.width), y: clamp(point.y, 0, this.height) };
    }

    down(event) {
      if (this.width <= 1) return;
      this.svg.focus({ preventScroll: true });
      this.svg.setPointerCapture(event.pointerId);
      const from = this.at(event), handle = event.target.dataset?.handle, hit = event.target.dataset?.at;
      if (event.button === 1 || event.button === 2) this.drag = { kind: "pan", x: event.clientX, y: event.clientY };
      else if (handle) this.drag = { kind: "resize", handle, from, before: { ...this.boxes[this.selected] } };
      else if (hit !== undefined && !event.shiftKey) {
        this.selected = Number(hit);
        this.drag = { kind: "move", from, before: { ...this.boxes[this.selected] } };
        this.draw();
        this.changed();
      } else this.drag = { kind: "draw", from };
    }

    move(event) {
      if (!this.drag) return;
      const to = this.at(event), { kind, from, before } = this.drag;
      if (kind === "pan") {
        this.pan((this.drag.x - event.clientX) * this.pixel, (this.drag.y - event.clientY) * this.pixel);
        Object.assign(this.drag, { x: event.clientX, y: event.clientY });
        return;
      }
      if (kind === "draw") this.spread(from, to);
      if (kind === "move") this.put({ ...before, x: before.x + to.x - from.x, y: before.y + to.y - from.y });
      if (kind === "resize") {
        const left = this.drag.handle.includes("w"), top = this.drag.handle.includes("n");
        const fixed = { x: left ? before.x + before.width : before.x, y: top ? before.y + before.height : before.y };
        this.put({ ...before, ...this.between(fixed, to) });
      }
      this.draw();
    }

    up(event) {
      if (!this.drag) return;
      this.move(event);
      const drawn = this.drag.kind === "draw" && this.drag.made;
      this.drag = null;
      const box = this.boxes[this.selected];
      if (drawn && (box.width < LEAST || box.height < LEAST)) this.boxes.splice(this.selected, 1), this.selected = -1;
      if (!drawn && event.button === 0 && event.target === this.picture) this.selected = -1;
      this.draw();
      this.changed();
    }

    spread(from, to) {
      const wide = Math.abs(to.x - from.x), high = Math.abs(to.y - from.y);
      if (!this.drag.made) {
        if (Math.max(wide, high) < 3 * this.pixel || !this.label) return;
        this.drag.made = true;
        this.selected = this.boxes.push({ label: this.label, x: 0, y: 0, width: 0, height: 0 }) - 1;
      }
      Object.assign(this.boxes[this.selected], this.between(from, to));
    }

    between(one, other) {
      const x = Math.min(one.x, other.x), y = Math.min(one.y, other.y);
      return { x, y, width: Math.abs(one.x - other.x), height: Math.abs(one.y - other.y) };
    }

    put(box) {
      const width = Math.min(box.width, this.width), height = Math.min(box.height, this.height);
      this.boxes[this.selected] = { ...box, width, height, x: clamp(box.x, 0, this.width - width), y: clamp(box.y, 0, this.height - height) };
    }

    // --- keys -------------------------------------------------------------------------------------------------------

    add() {
      if (!this.label || this.width <= 1) return;
      const { x, y, width, height } = this.view;
      const box = { x: Math.round(x + width * 0.375), y: Math.round(y + height * 0.375), width: Math.round(width / 4), height: Math.round(height / 4) };
      this.selected = this.boxes.push({ label: this.label, ...box }) - 1;
      this.draw();
      this.changed();
    }

    step(by) {
      const next = this.selected < 0 && by < 0 ? this.boxes.length - 1 : this.selected + by;
      this.selected = this.boxes[next] ? next : -1;
      this.draw();
      this.changed();
      return this.selected >= 0;
    }

    nudge(dx, dy, size) {
      const box = this.boxes[this.selected];
      if (!box) return this.pan(dx * this.view.width / 20, dy * this.view.height / 20);
      if (size) this.put({ ...box, width: clamp(box.width + dx, LEAST, this.width - box.x), height: clamp(box.height + dy, LEAST, this.height - box.y) });
      else this.put({ ...box, x: box.x + dx, y: box.y + dy });
      this.draw();
      this.changed();
    }

    remove() {
      if (this.selected < 0) return;
      this.boxes.splice(this.selected, 1);
      this.selected = -1;
      this.draw();
      this.changed();
    }

    choose(label) {
      this.label = label;
      if (this.selected >= 0) this.boxes[this.selected].label = label;
      this.draw();
      this.changed();
    }

    free() { this.selected = -1; this.draw(); this.changed(); }
  };
})();
