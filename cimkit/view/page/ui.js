// Everything around the scene: search, what is known of a building, switches, legend. Texts of
// the data only ever become text nodes.
import { ASKED, MODES, onRamp } from "./colors.js";
import { getLanguage, setLanguage, word } from "./words.js";

/** An element with attributes and children; strings become text. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (value !== false && value !== null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SHOWN_FIRST = ["code", "building_id", "address", "label", "height", "floors", "area", "h_ground", "height_source", "lod", "rooms", "households", "population", "organisations"];
const UNITS = { height: "metres", area: "square_metres" };
const NAMED = ["height_source", "ground_source", "quality", "link_state"];

function shown(key, value) {
  if (value === null || value === undefined || value === "") return word("unknown");
  const unit = UNITS[key] ?? (key.startsWith("h_") ? "metres" : null);
  if (unit) return `${Number(value).toFixed(1)} ${word(unit)}`;
  if (NAMED.includes(key)) return word(String(value));
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(2) : String(value);
}

export class Ui {
  /** @param {HTMLElement} home @param {object} app what the switches act on, see main.js */
  constructor(home, app) {
    this.home = home;
    this.app = app;
    this.state = { mode: "none", detail: 12, buildings: true, terrain: true, points: false, labels: true, edges: true, shadows: true, measure: false };
    this.record = null;
    this.details = null;
    this.draw();
  }

  /** Build everything anew, in the language that is set. */
  draw() {
    document.documentElement.lang = getLanguage();
    this.home.replaceChildren(this.head(), this.tools(), this.views(), (this.legendBox = make("div", { class: "card legend", hidden: true })), (this.panel = make("section", { class: "card panel", hidden: true, "aria-live": "polite" })), (this.message = make("div", { class: "message", hidden: true })));
    this.drawLegend();
    this.drawPanel();
  }

  head() {
    const { city } = this.app.source;
    this.results = make("ul", { class: "results", hidden: true, role: "listbox" });
    this.input = make("input", {
      type: "search",
      placeholder: word("search"),
      "aria-label": word("search"),
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.search(),
      onkeydown: (event) => this.inResults(event),
    });
    const language = make("button", { class: "quiet", onclick: () => this.switchLanguage() }, word("language"));
    const title = make("div", { class: "title" }, make("b", {}, city.title || "cimkit"), make("span", {}, `${Number(city.counts.buildings ?? 0).toLocaleString()} ${word("buildings").toLowerCase()}`), language);
    return make("header", { class: "card head" }, title, city.has.search ? this.input : null, this.results);
  }

  switchLanguage() {
    setLanguage(getLanguage() === "zh" ? "en" : "zh");
    this.draw();
  }

  search() {
    clearTimeout(this.timer);
    const text = this.input.value.trim();
    if (!text) {
      this.results.hidden = true;
      return;
    }
    this.timer = setTimeout(async () => {
      const rows = await this.app.source.search(text).catch(() => null);
      if (!rows) return this.say(word("no_answer"), 8000);
      if (text !== this.input.value.trim()) return;
      this.results.replaceChildren(...rows.map((row) => this.result(row)));
      if (!rows.length) this.results.append(make("li", { class: "none" }, word("nothing")));
      this.results.hidden = false;
    }, 120);
  }

  result(row) {
    const go = () => {
      this.results.hidden = true;
      this.app.goTo(row);
    };
    return make("li", { tabindex: "-1", role: "option", onclick: go, onkeydown: (e) => (e.key === "Enter" ? go() : this.inResults(e)) }, make("b", {}, row.text || row.building_id), make("span", {}, row.code || row.building_id));
  }

  inResults(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const items = [...this.results.querySelectorAll("li:not(.none)")];
    if (event.key === "Enter" && event.target === this.input && items.length) items[0].click();
    if (event.key === "Escape") {
      this.results.hidden = true;
      this.app.viewer.canvas.focus();
    }
    if (!step || !items.length) return;
    event.preventDefault();
    const next = items.indexOf(document.activeElement) + step;
    (items[next] ?? this.input).focus();
  }

  tools() {
    const { has, tilesets } = this.app.source.city;
    const modes = MODES.filter((mode) => has.attributes || !ASKED.includes(mode));
    this.select = make("select", { onchange: () => this.setMode(this.select.value) }, ...modes.map((mode) => make("option", { value: mode, selected: mode === this.state.mode }, word(mode))));
    const layers = ["buildings", "terrain", "points", "labels", "edges", "shadows"].filter((name) => !(name in tilesets) || tilesets[name]);
    this.boxes = Object.fromEntries(layers.map((name) => [name, make("input", { type: "checkbox", checked: this.state[name], onchange: () => this.toggle(name, this.boxes[name].checked) })]));
    const detail = make("input", { type: "range", min: 4, max: 48, step: 2, value: 52 - this.state.detail, "aria-label": word("detail"), oninput: (event) => this.setDetail(52 - event.target.value) });
    this.measureButton = make("button", { "aria-pressed": String(this.state.measure), onclick: () => this.app.setMeasure(!this.state.measure) }, word("measure"));
    return make(
      "details",
      { class: "card tools", open: innerWidth > 700 },
      make("summary", {}, word("layers")),
      make("label", { class: "row" }, make("span", {}, word("color")), this.select),
      make("div", { class: "switches" }, ...layers.map((name) => make("label", {}, this.boxes[name], word(name)))),
      make("label", { class: "row" }, make("span", {}, word("detail")), detail),
      make("div", { class: "row" }, this.measureButton, make("button", { onclick: () => this.say(word("help_text"), 9000) }, word("help"))),
    );
  }

  setMode(mode) {
    this.state.mode = this.select.value = mode;
    this.app.setMode(mode);
  }

  nextMode() {
    const options = [...this.select.options].map((option) => option.value);
    this.setMode(options[(options.indexOf(this.state.mode) + 1) % options.length]);
  }

  setDetail(pixels) {
    this.state.detail = pixels;
    this.app.viewer.setDetail(pixels);
  }

  toggle(name, on = !this.state[name]) {
    if (!this.boxes[name]) return;
    this.state[name] = this.boxes[name].checked = on;
    this.app.setLayer(name, on);
  }

  views() {
    const names = ["street", "quarter", "city"];
    return make("nav", { class: "card views" }, ...names.map((name) => make("button", { onclick: () => this.app.setView(name) }, word(name))));
  }

  /** What the colours mean. */
  drawLegend() {
    const { mode, coloring } = { mode: this.state.mode, coloring: this.app.viewer?.buildings.coloring };
    this.legendBox.hidden = mode === "none" || !coloring;
    if (this.legendBox.hidden) return;
    const rows = coloring.legend();
    const body = rows
      ? rows.map(({ value, color }) => make("div", { class: "key" }, swatch(`#${color.getHexString()}`), word(value)))
      : [ramp(), make("div", { class: "ends" }, make("span", {}, `0 ${word("metres")}`), make("span", {}, `${coloring.top}+ ${word("metres")}`))];
    this.legendBox.replaceChildren(make("b", {}, word(mode)), ...body);
  }

  /** Show a building: what its tile says, then what the server adds. */
  show(record, details = null) {
    [this.record, this.details] = [record, details];
    this.drawPanel();
  }

  drawPanel() {
    this.panel.hidden = !this.record;
    if (!this.record) return;
    const own = { ...this.record, ...(this.details?.attributes ?? {}) };
    const said = (key) => own[key] !== null && own[key] !== undefined && own[key] !== "";
    const rows = (keys) => make("dl", {}, ...keys.flatMap((key) => [make("dt", {}, word(key)), make("dd", {}, shown(key, own[key]))]));
    const others = Object.keys(own).filter((key) => !SHOWN_FIRST.includes(key) && said(key));
    const list = rows(SHOWN_FIRST.filter((key) => key in own && (said(key) || key === "code")));
    const rest = others.length ? make("details", {}, make("summary", {}, `${word("attributes")} (${others.length})`), rows(others)) : null;
    const close = make("button", { class: "quiet close", "aria-label": word("close"), onclick: () => this.app.choose(null) }, "×");
    this.panel.replaceChildren(close, make("h2", {}, this.record.address || this.record.building_id), list, ...this.more(), rest ?? "");
  }

  more() {
    const { addresses = [], issues = [], quality = {} } = this.details ?? {};
    const parts = [];
    const known = Object.entries(quality).filter(([, value]) => value !== null && value !== "");
    if (known.length) parts.push(make("h3", {}, word("quality")), make("dl", {}, ...known.flatMap(([key, value]) => [make("dt", {}, word(key)), make("dd", {}, shown(key, value))])));
    if (addresses.length) parts.push(make("h3", {}, `${word("addresses")} (${addresses.length})`), make("ul", {}, ...addresses.map((one) => make("li", {}, make("span", {}, one.text || one.address_id), make("small", {}, linkNote(one))))));
    if (issues.length) parts.push(make("h3", {}, word("issues")), make("ul", {}, ...issues.map((one) => make("li", { class: one.severity.toLowerCase() }, `${one.code}: ${one.message}`))));
    return parts;
  }

  /** A line at the foot of the page. */
  say(text, milliseconds = 0) {
    this.message.textContent = text;
    this.message.hidden = !text;
    clearTimeout(this.sayTimer);
    if (milliseconds) this.sayTimer = setTimeout(() => this.say(""), milliseconds);
  }
}

function linkNote(one) {
  const parts = [one.rule, one.confidence === null || one.confidence === undefined ? null : `${word("confidence")} ${Number(one.confidence).toFixed(2)}`, one.distance_m > 0 ? `${Number(one.distance_m).toFixed(1)} ${word("metres")}` : null];
  return parts.filter(Boolean).join(" · ");
}

function swatch(color) {
  const node = make("i", {});
  node.style.background = color;
  return node;
}

function ramp() {
  const node = make("div", { class: "ramp" });
  const stops = Array.from({ length: 9 }, (_, k) => `#${onRamp(k / 8).getHexString()}`);
  node.style.background = `linear-gradient(90deg, ${stops.join(",")})`;
  return node;
}
