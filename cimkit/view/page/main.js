// Puts the page together, and tells it apart from its address: what is looked at can be shared.
import { Vector3 } from "three";
import { Labels } from "./labels.js";
import { Measure } from "./measure.js";
import { openSource } from "./source.js";
import { make, Ui } from "./ui.js";
import { Viewer } from "./viewer.js";
import { word } from "./words.js";

const CLICK_PIXELS = 5;

class App {
  constructor(source) {
    this.source = source;
    this.home = document.getElementById("ui");
    this.ui = new Ui(this.home, this);
    this.viewer = new Viewer(document.getElementById("scene"), source);
    this.labels = new Labels(document.getElementById("labels"), this.viewer);
    this.measure = new Measure(this.home, this.viewer);
    const { centre } = source.city;
    this.viewer.onFailure = () => this.ui.say(word("lost_tile"), 8000);
    this.middle = new Vector3(0, 0, 0);
    this.radius = centre.radius ?? 500;
    this.listen();
  }

  async start() {
    const { tilesets } = this.source.city;
    this.setView("city", 0);
    const names = ["buildings", "terrain"].filter((name) => tilesets[name]);
    await Promise.all(names.map((name) => this.addLayer(name))).catch(() => this.ui.say(word("no_tiles")));
    if (!this.source.city.counts.buildings) this.ui.say(word("empty"));
    await this.openAddress();
    this.viewer.onFrame(() => this.keepAddress());
  }

  addLayer(name) {
    return this.viewer.addLayer(name, new URL(this.source.city.tilesets[name], document.baseURI).href);
  }

  listen() {
    const { canvas } = this.viewer;
    let down = null;
    canvas.addEventListener("pointerdown", (event) => (down = { x: event.clientX, y: event.clientY }));
    canvas.addEventListener("pointerup", (event) => {
      const still = down && Math.hypot(event.clientX - down.x, event.clientY - down.y) < CLICK_PIXELS;
      if (still && event.button === 0) this.click(event.offsetX, event.offsetY);
    });
    addEventListener("keydown", (event) => this.key(event));
  }

  click(x, y) {
    const hit = this.viewer.hit(x, y, this.measure.active);
    if (this.measure.active) {
      if (hit) this.measure.add(hit.point);
      return;
    }
    this.choose(hit ? this.viewer.buildings.at(hit) : null);
  }

  /** Mark a building and tell what is known of it; null for none. */
  async choose(record) {
    this.viewer.buildings.choose(record?.building_id ?? null);
    this.ui.show(record);
    if (!record || !this.source.city.has.details) return;
    const details = await this.source.building(record.building_id).catch(() => this.ui.say(word("no_answer"), 8000));
    if (this.viewer.buildings.chosen === record.building_id) this.ui.show(record, details);
  }

  /** Fly to a row of a search and choose it. */
  goTo(row) {
    const target = this.viewer.place(row.lon, row.lat, row.height);
    const range = Math.min(Math.max(6 * (row.radius || 20), 120), 900);
    this.viewer.flyTo({ target, range, heading: this.viewer.view().heading, pitch: 38 });
    if (!row.building_id) {
      this.ui.say(word("lonely"), 6000);
      return this.choose(null);
    }
    return this.choose({ building_id: row.building_id, code: row.code, address: row.kind === "address" ? row.text : "" });
  }

  setView(name, duration = 1100) {
    const street = this.street();
    const views = {
      street: street ?? { target: this.middle.clone().setY(8), range: 170, heading: 28, pitch: 17 },
      quarter: { target: street?.target.clone().setY(0) ?? this.middle.clone(), range: Math.min(480, 2 * this.radius), heading: 28, pitch: 25 },
      city: { target: this.middle.clone(), range: 2.5 * this.radius + 150, heading: 24, pitch: 31 },
    };
    this.viewer.flight = null;
    if (duration) this.viewer.flyTo(views[name], duration);
    else this.viewer.look(views[name]);
  }

  /** The view along a street, where one is known. */
  street() {
    const { street } = this.source.city;
    if (!street) return null;
    const [eye, target] = [street.eye, street.target].map((place) => this.viewer.place(...place));
    const way = target.clone().sub(eye);
    const range = way.length();
    return { target, range, heading: (Math.atan2(way.x, -way.z) * 180) / Math.PI, pitch: (Math.asin(-way.y / range) * 180) / Math.PI };
  }

  async setMode(mode) {
    await this.viewer.buildings.setMode(mode);
    this.ui.drawLegend();
    setTimeout(() => this.ui.drawLegend(), 400);
  }

  setLayer(name, on) {
    if (name === "labels") this.labels.setVisible(on);
    else if (name === "edges") this.viewer.buildings.setEdges(on);
    else if (name === "shadows") this.viewer.setShadows(on);
    else if (on && !this.viewer.layers[name]) this.addLayer(name).catch(() => this.ui.say(word("no_tiles")));
    else this.viewer.setLayer(name, on);
  }

  setMeasure(on) {
    this.ui.state.measure = on;
    this.ui.measureButton.setAttribute("aria-pressed", String(on));
    this.measure.setActive(on);
    this.ui.say(on ? word("measure_hint") : "", 6000);
  }

  key(event) {
    if (event.target.closest?.("select, input[type=search], input[type=range]")) return; // their own keys
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const view = this.viewer.view();
    const step = view.range / 8;
    const across = new Vector3(Math.cos((view.heading * Math.PI) / 180), 0, Math.sin((view.heading * Math.PI) / 180));
    const ahead = new Vector3(across.z, 0, -across.x);
    const move = (by, metres) => this.viewer.look({ ...view, target: view.target.addScaledVector(by, metres) });
    const actions = {
      ArrowLeft: () => move(across, -step),
      ArrowRight: () => move(across, step),
      ArrowUp: () => move(ahead, step),
      ArrowDown: () => move(ahead, -step),
      "+": () => this.viewer.look({ ...view, range: view.range * 0.8 }),
      "=": () => this.viewer.look({ ...view, range: view.range * 0.8 }),
      "-": () => this.viewer.look({ ...view, range: view.range * 1.25 }),
      q: () => this.viewer.look({ ...view, heading: view.heading - 10 }),
      e: () => this.viewer.look({ ...view, heading: view.heading + 10 }),
      r: () => this.viewer.look({ ...view, pitch: Math.min(view.pitch + 5, 88) }),
      f: () => this.viewer.look({ ...view, pitch: Math.max(view.pitch - 5, 5) }),
      Home: () => this.setView("city"),
      1: () => this.setView("street"),
      2: () => this.setView("quarter"),
      3: () => this.setView("city"),
      "/": () => this.ui.input.focus(),
      l: () => this.ui.nextMode(),
      t: () => this.ui.toggle("terrain"),
      p: () => this.ui.toggle("points"),
      m: () => this.setMeasure(!this.measure.active),
      "?": () => this.ui.say(word("help_text"), 9000),
      Escape: () => (this.measure.active ? this.setMeasure(false) : this.choose(null)),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Open what the address of the page asks for: a view, a place, a building by its code. */
  async openAddress() {
    const asked = new URLSearchParams(location.search);
    const kept = new URLSearchParams(location.hash.slice(1));
    const text = asked.get("code") ?? asked.get("q") ?? kept.get("code");
    if (kept.has("view")) this.setView(kept.get("view") in { street: 1, quarter: 1, city: 1 } ? kept.get("view") : "city", 0);
    const numbers = (kept.get("at") ?? "").split(",").map(Number);
    if (numbers.length === 6 && numbers.every(Number.isFinite)) {
      const [x, y, z, range, heading, pitch] = numbers;
      this.viewer.look({ target: new Vector3(x, y, z), range, heading, pitch });
    }
    if (!text || !this.source.city.has.search) return;
    const [row] = await this.source.search(text).catch(() => []);
    if (!row) this.ui.say(word("nothing"), 6000);
    else if (numbers.length === 6) await this.choose({ building_id: row.building_id, code: row.code, address: row.text });
    else await this.goTo(row);
  }

  keepAddress() {
    clearTimeout(this.addressTimer);
    this.addressTimer = setTimeout(() => {
      const { target, range, heading, pitch } = this.viewer.view();
      const at = [...target.toArray(), range, heading, pitch].map((value) => value.toFixed(1)).join(",");
      const code = this.ui.record?.code;
      history.replaceState(null, "", `#at=${at}${code ? `&code=${encodeURIComponent(code)}` : ""}`);
    }, 400);
  }
}

/** What tests, and scripts of other pages, may hold on to. */
function handle(app) {
  return {
    app,
    failures: app.viewer.failures,
    idle: () => app.viewer.idle(),
    setView: (view) => {
      if (typeof view === "string") return app.setView(view, 0);
      const { lon, lat, height = 0, ...rest } = view;
      app.viewer.flight = null;
      return app.viewer.look({ ...rest, target: app.viewer.place(lon, lat, height) });
    },
    pick: (x, y) => {
      const hit = app.viewer.hit(x, y);
      return hit ? app.viewer.buildings.at(hit) : null;
    },
    screen: (lon, lat, height) => app.labels.spot(app.viewer.place(lon, lat, height)),
    stats: () => Object.fromEntries(Object.entries(app.viewer.layers).map(([name, tiles]) => [name, { ...tiles.stats }])),
  };
}

async function open() {
  const home = document.getElementById("ui");
  const probe = document.createElement("canvas").getContext("webgl2");
  if (!probe) {
    home.append(make("div", { class: "message" }, word("no_webgl")));
    return null;
  }
  const source = await openSource().catch((error) => {
    home.append(make("div", { class: "message" }, word("no_city")));
    throw error;
  });
  const app = new App(source);
  const opened = handle(app);
  await app.start();
  return opened;
}

globalThis.cimkit = { ready: open().then((opened) => Object.assign(globalThis.cimkit, opened)) };
