// The scene: light, camera, layers of tiles; draws only when something has changed.
import {
  BufferAttribute,
  Color,
  DirectionalLight,
  Fog,
  HemisphereLight,
  Mesh,
  MeshLambertMaterial,
  NeutralToneMapping,
  PCFShadowMap,
  PerspectiveCamera,
  Plane,
  CircleGeometry,
  Raycaster,
  Scene,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { EnvironmentControls, TilesRenderer } from "3d-tiles-renderer";
import { GLTFExtensionsPlugin, ImplicitTilingPlugin } from "3d-tiles-renderer/plugins";
import { MeshoptDecoder } from "meshoptimizer/decoder";
import { Buildings } from "./buildings.js";
import { earthToLocal, toEarth } from "./frame.js";

const HAZE = new Color("#e9eef3");
const GROUND = new Color("#c9cecb");
/** Where the sun stands: in the south-west, so that what a street view looks at is lit (vantage.py). */
const SUN = new Vector3(-0.55, 0.68, 0.48).normalize();
const SHADOW_PIXELS = 2048;
const ERROR_PIXELS = 12;
const POINT_PIXELS = 2.2;
const NEAR_POINT_M = 0.3;

/** After so long in the page the ground is drawn without tiles. */
const FIRST_FRAME_MS = 3000;

/** A tile that is wanted is on its way only some frames later. */
const QUIET_FRAMES = 5;

/** Points of one size; their colours are as screens have them, three reckons in linear light. */
function drawPoints(points) {
  Object.assign(points.material, { size: POINT_PIXELS, sizeAttenuation: false });
  const [colors, one] = [points.geometry.getAttribute("color"), new Color()];
  if (!colors) return;
  const linear = new Float32Array(3 * colors.count);
  for (let row = 0; row < colors.count; row++) one.fromBufferAttribute(colors, row).convertSRGBToLinear().toArray(linear, 3 * row);
  points.geometry.setAttribute("color", new BufferAttribute(linear, 3));
}

export class Viewer {
  /** @param {HTMLCanvasElement} canvas @param {import("./source.js").Source} source */
  constructor(canvas, source) {
    this.canvas = canvas;
    this.source = source;
    this.failures = [];
    this.layers = {};
    this.listeners = [];
    this.toLocal = earthToLocal(source.city.centre);
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, powerPreference: "high-performance" });
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.toneMappingExposure = 1.02;
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = PCFShadowMap;
    this.scene = new Scene();
    this.scene.fog = new Fog(HAZE, 1000, 20000);
    this.camera = new PerspectiveCamera(40, 1, 1, 60000);
    this.buildings = new Buildings(source, () => this.redraw());
    this.addLight();
    this.addGround();
    this.addControls();
    this.needed = 3;
    this.waiting = true;
    this.resize();
    new ResizeObserver(() => this.resize()).observe(canvas);
    requestAnimationFrame(() => this.loop());
  }

  addLight() {
    this.scene.add(new HemisphereLight(0xf1f6ff, 0xc3c1bd, 1.6));
    const fill = new DirectionalLight(0xe4eeff, 0.55); // so that walls in the shade differ
    fill.position.set(0.8, 0.35, 0.25);
    this.sun = new DirectionalLight(0xfff8ec, 2.6);
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(SHADOW_PIXELS, SHADOW_PIXELS);
    this.sun.shadow.radius = 3;
    this.sun.shadow.normalBias = 0.6;
    this.sun.shadow.bias = -0.0004;
    this.scene.add(fill, this.sun, this.sun.target);
  }

  addGround() {
    this.ground = new Mesh(
      new CircleGeometry(60000, 96).rotateX(-Math.PI / 2),
      new MeshLambertMaterial({ color: GROUND }),
    );
    this.earth = this.ground.material;
    this.ground.receiveShadow = true;
    this.ground.position.y = -0.4;
    this.scene.add(this.ground);
  }

  addControls() {
    const controls = new EnvironmentControls(this.scene, this.camera, this.canvas);
    controls.minDistance = 4;
    controls.maxDistance = 60000;
    controls.cameraRadius = 2;
    controls.enableDamping = true;
    controls.fallbackPlane = new Plane(new Vector3(0, 1, 0), 0);
    controls.addEventListener("change", () => this.redraw());
    controls.addEventListener("start", () => this.redraw());
    this.controls = controls;
  }

  /** Load a tileset as a layer. @returns {Promise<void>} once its root is known */
  addLayer(name, url) {
    const tiles = new TilesRenderer(url);
    tiles.registerPlugin(new ImplicitTilingPlugin());
    tiles.registerPlugin(new GLTFExtensionsPlugin({ metadata: true, meshoptDecoder: MeshoptDecoder, autoDispose: false }));
    if (this.source.file) {
      tiles.registerPlugin({ fetchData: (file) => Promise.resolve(this.source.file(String(file)) ?? new Response(null, { status: 404 })) });
    }
    tiles.errorTarget = ERROR_PIXELS;
    // What is seen is enough: with siblings and ancestors a street view takes twice the bytes.
    tiles.loadSiblings = tiles.loadAncestors = false;
    tiles.setCamera(this.camera);
    this.toLocal.decompose(tiles.group.position, tiles.group.quaternion, tiles.group.scale);
    this.scene.add(tiles.group);
    this.layers[name] = tiles;
    tiles.addEventListener("load-model", ({ scene }) => {
      if (name === "buildings") this.buildings.add(scene, tiles.group);
      else if (name === "points") scene.traverse((item) => item.isPoints && drawPoints(item));
      else scene.traverse((item) => item.isMesh && this.drawGround(item));
      if (name === "buildings") this.arrived ??= "now";
      if (name === "terrain") this.ground.position.y = -12; // below the edge of what is known
      this.redraw();
    });
    tiles.addEventListener("dispose-model", ({ scene }) => this.buildings.remove(scene));
    tiles.addEventListener("needs-update", () => this.redraw());
    this.resize();
    return new Promise((resolve, reject) => {
      tiles.addEventListener("load-root-tileset", () => resolve());
      tiles.addEventListener("load-tileset", () => resolve());
      tiles.addEventListener("load-error", ({ url: file, error }) => {
        this.failures.push(`${file}: ${error}`);
        this.onFailure?.(file);
        reject(error);
      });
    });
  }

  /** Known ground looks as what lies around it, so that its edge is none. */
  drawGround(mesh) {
    mesh.material.dispose();
    mesh.material = this.earth;
    mesh.receiveShadow = true;
  }

  setLayer(name, on) {
    if (this.layers[name]) this.layers[name].group.visible = on;
    if (name === "terrain") this.ground.position.y = on && this.layers.terrain ? -12 : -0.4;
    this.redraw();
  }

  /** Pixels that a tile may be off: more is coarser and faster. */
  setDetail(pixels) {
    for (const tiles of Object.values(this.layers)) tiles.errorTarget = pixels;
    this.redraw();
  }

  setShadows(on) {
    this.sun.castShadow = on;
    this.redraw();
  }

  resize() {
    const [width, height] = [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1];
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    for (const tiles of Object.values(this.layers)) tiles.setResolutionFromRenderer(this.camera, this.renderer);
    this.redraw();
  }

  /** Have the next frames drawn. */
  redraw() {
    this.needed = Math.max(this.needed, 2);
  }

  /** Call after each frame that was drawn. */
  onFrame(listener) {
    this.listeners.push(listener);
  }

  loop() {
    requestAnimationFrame(() => this.loop());
    this.controls.update();
    if (this.flight) this.fly();
    if (!this.needed && !this.busy()) return;
    this.needed = Math.max(0, this.needed - 1);
    this.fit();
    for (const tiles of this.shown()) tiles.update();
    this.waiting = this.waits();
    if (this.waiting) return;
    this.renderer.render(this.scene, this.camera);
    if (this.arrived === "now") {
      performance.mark("first-tile"); // for whoever measures
      this.arrived = "drawn";
    }
    for (const listener of this.listeners) listener();
  }

  /** Whether the first frame waits for the first tile: drawn without one it would only delay it. */
  waits() {
    if (this.arrived || performance.now() > FIRST_FRAME_MS) return false;
    this.needed = 1;
    const shown = this.shown();
    const coming = !shown.length || this.busy() || shown.some((tiles) => !tiles.root && !this.failures.length);
    this.quiet = coming ? 0 : (this.quiet ?? 0) + 1;
    return this.quiet < QUIET_FRAMES;
  }

  /** Whether tiles are on their way. */
  busy() {
    return this.shown().some(({ stats }) => stats.queued + stats.downloading + stats.parsing > 0);
  }

  /** Layers that are switched on. */
  shown() {
    return Object.values(this.layers).filter((tiles) => tiles.group.visible);
  }

  /** Fit near and far, haze and the shadow to what is seen. */
  fit() {
    const [height, target] = [Math.max(this.camera.position.y, 2), this.focus()];
    const range = target.distanceTo(this.camera.position);
    this.camera.near = Math.max(0.5, Math.min(range, height) / 40);
    this.camera.far = Math.max(4000, 40 * height + 4 * range);
    this.camera.updateProjectionMatrix();
    this.camera.updateMatrixWorld();
    this.scene.fog.near = Math.max(600, 1.4 * range);
    this.scene.fog.far = Math.max(6000, 9 * range);
    const reach = Math.min(Math.max(0.9 * range, 130), 9000);
    const shadow = this.sun.shadow;
    Object.assign(shadow.camera, { left: -reach, right: reach, top: reach, bottom: -reach, near: 1, far: 6 * reach });
    shadow.camera.updateProjectionMatrix();
    shadow.normalBias = reach / 500;
    this.sun.target.position.copy(target);
    this.sun.position.copy(target).addScaledVector(SUN, 3 * reach);
  }

  /** Where the middle of the view meets the ground. */
  focus() {
    const direction = this.camera.getWorldDirection(new Vector3());
    const down = Math.max(-direction.y, 0.04);
    const range = Math.min(Math.max(this.camera.position.y, 2) / down, 40000);
    return this.camera.position.clone().addScaledVector(direction, range);
  }

  /** Look at a place from a side: degrees and metres; pitch below the horizon. */
  look({ target, range, heading = 0, pitch = 35 }) {
    const [h, p] = [(heading * Math.PI) / 180, (pitch * Math.PI) / 180];
    const back = new Vector3(-Math.sin(h) * Math.cos(p), Math.sin(p), Math.cos(h) * Math.cos(p));
    this.camera.position.copy(target).addScaledVector(back, range);
    this.camera.up.set(0, 1, 0);
    this.camera.lookAt(target);
    this.camera.updateMatrixWorld();
    this.redraw();
  }

  /** Heading, pitch and range of the view. */
  view() {
    const [direction, target] = [this.camera.getWorldDirection(new Vector3()), this.focus()];
    return {
      target,
      range: target.distanceTo(this.camera.position),
      heading: ((Math.atan2(direction.x, -direction.z) * 180) / Math.PI + 360) % 360,
      pitch: (Math.asin(Math.min(1, -direction.y)) * 180) / Math.PI,
    };
  }

  /** Go to a view by a smooth way of some milliseconds. */
  flyTo(view, duration = 900) {
    const from = this.view();
    const turn = ((view.heading - from.heading + 540) % 360) - 180;
    this.flight = { from, to: view, turn, start: performance.now(), duration };
  }

  fly() {
    const { from, to, turn, start, duration } = this.flight;
    const share = Math.min((performance.now() - start) / duration, 1);
    const eased = share * share * (3 - 2 * share);
    this.look({
      target: from.target.clone().lerp(to.target, eased),
      range: from.range ** (1 - eased) * to.range ** eased,
      heading: from.heading + turn * eased,
      pitch: from.pitch + (to.pitch - from.pitch) * eased,
    });
    if (share === 1) this.flight = null;
  }

  /** Place in the local frame of longitude, latitude (degrees) and ellipsoidal height. */
  place(lon, lat, height) {
    return toEarth(lon, lat, height).applyMatrix4(this.toLocal);
  }

  /** First hit of the ray through a pixel of the canvas: of buildings and ground, or of all that is drawn. */
  hit(x, y, all = false) {
    const size = new Vector2(this.canvas.clientWidth, this.canvas.clientHeight);
    const ray = new Raycaster();
    ray.params.Points.threshold = NEAR_POINT_M;
    ray.setFromCamera(new Vector2((2 * x) / size.x - 1, 1 - (2 * y) / size.y), this.camera);
    const shown = this.shown().filter((tiles) => all || tiles !== this.layers.points);
    const targets = [...shown.map((tiles) => tiles.group), ...(all ? [this.ground] : [])];
    const hits = targets.flatMap((target) => ray.intersectObject(target, true));
    return hits.sort((a, b) => a.distance - b.distance)[0] ?? null;
  }

  /** Wait until all tiles of the view are there and drawn. */
  async idle(limit = 120_000) {
    const start = performance.now();
    let still = 0;
    while (still < 4 && performance.now() - start < limit) {
      this.redraw();
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const known = this.shown().every((tiles) => tiles.root || this.failures.length);
      still = known && !this.busy() && !this.flight && !this.waiting ? still + 1 : 0;
    }
  }
}
