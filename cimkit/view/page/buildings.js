// What the page makes of each tile of buildings: colours by feature, edges, records for a click.
import {
  Box3,
  BufferGeometry,
  Color,
  DataTexture,
  EdgesGeometry,
  FloatType,
  LineBasicMaterial,
  LineSegments,
  Matrix4,
  MeshLambertMaterial,
  NearestFilter,
  RGBAFormat,
  Vector3,
} from "three";
import { ASKED, CHOSEN, Coloring } from "./colors.js";

const WIDTH = 256;
const FEATURE = "_feature_id_0";

/** The same in 3D Tiles 1.0. */
const BATCH = "_batchid";

/** Edges of a tile farther away than its own size are finer than a pixel: larger tiles have none. */
const EDGE_TRIANGLES = 60_000;

/** One look of walls and roofs for all tiles: a feature's colour and foot come from a texture. */
function material(features) {
  const look = new MeshLambertMaterial({ polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 });
  look.onBeforeCompile = (shader) => {
    shader.uniforms.features = { value: features };
    shader.vertexShader = shader.vertexShader
      .replace(
        "#include <common>",
        `#include <common>
        attribute float ${FEATURE};
        uniform sampler2D features;
        varying vec3 vFeature;
        varying float vAboveFoot;
        varying float vRoof;`,
      )
      .replace(
        "#include <fog_vertex>",
        `#include <fog_vertex>
        int id = int(${FEATURE} + 0.5);
        vec4 feature = texelFetch(features, ivec2(id % ${WIDTH}, id / ${WIDTH}), 0);
        vFeature = feature.rgb;
        vAboveFoot = (modelMatrix * vec4(position, 1.0)).y - feature.a;
        vRoof = smoothstep(0.15, 0.4, (modelMatrix * vec4(normal, 0.0)).y / length((modelMatrix * vec4(normal, 0.0)).xyz));`,
      );
    shader.fragmentShader = shader.fragmentShader
      .replace(
        "#include <common>",
        `#include <common>
        varying vec3 vFeature;
        varying float vAboveFoot;
        varying float vRoof;`,
      )
      .replace(
        "#include <color_fragment>",
        `// Roofs a shade warmer than walls, and walls darker towards the ground.
        vec3 roof = vFeature * vec3(0.985, 0.955, 0.925);
        float foot = mix(0.84, 1.0, smoothstep(0.0, 7.0, vAboveFoot));
        diffuseColor.rgb = mix(vFeature * foot, roof, vRoof);`,
      );
  };
  look.customProgramCacheKey = () => "cimkit-building";
  return look;
}

const EDGE = new LineBasicMaterial({ color: 0x2f3640, transparent: true, opacity: 0.34, fog: true });

/** Every tile that is loaded, by its scene; and which building is chosen, how all are coloured. */
export class Buildings {
  /** @param {import("./source.js").Source} source @param {() => void} changed */
  constructor(source, changed) {
    this.source = source;
    this.changed = changed;
    this.tiles = new Map();
    this.coloring = new Coloring("none", source.city.height_top);
    this.chosen = null;
    this.showEdges = true;
    this.asked = new Map();
  }

  /** Take a tile that was loaded. It hangs in no group yet: measured alone it would lie in the earth's frame. */
  add(scene, group) {
    group.updateMatrixWorld(true);
    scene.updateMatrixWorld(true);
    const above = scene.parent ? new Matrix4() : group.matrixWorld;
    scene.traverse((mesh) => {
      const batched = mesh.geometry?.getAttribute(BATCH);
      if (batched) mesh.geometry.setAttribute(FEATURE, batched);
      if (!mesh.isMesh || !mesh.geometry.getAttribute(FEATURE)) return;
      const tile = new Tile(mesh, scene, new Matrix4().multiplyMatrices(above, mesh.matrixWorld));
      this.tiles.set(scene, tile);
      this.paint(tile);
      tile.setEdges(this.showEdges);
    });
  }

  /** Let go of a tile. */
  remove(scene) {
    this.tiles.get(scene)?.dispose();
    this.tiles.delete(scene);
  }

  /** Colour all by another attribute. */
  async setMode(mode) {
    this.coloring = new Coloring(mode, this.source.city.height_top);
    await Promise.all([...this.tiles.values()].map((tile) => this.paint(tile)));
    this.changed();
  }

  /** Colour one tile; what it does not say itself is asked for. */
  async paint(tile) {
    const coloring = this.coloring;
    tile.paint(coloring, this.chosen);
    if (!ASKED.includes(coloring.mode) || tile.complete) return;
    const ids = tile.records.map((record) => record.building_id);
    const answer = await this.source.attributes(ids).catch(() => null);
    if (!answer) return; // they stay as what is not known
    tile.records.forEach((record, row) => {
      record.quality = answer.quality[row];
      record.link_state = answer.link_state[row];
    });
    tile.complete = true;
    if (coloring === this.coloring) tile.paint(coloring, this.chosen);
    this.changed();
  }

  /** Mark a building in all tiles that show it. */
  choose(id) {
    this.chosen = id;
    for (const tile of this.tiles.values()) tile.paint(this.coloring, id);
    this.changed();
  }

  setEdges(on) {
    this.showEdges = on;
    for (const tile of this.tiles.values()) tile.setEdges(on);
    this.changed();
  }

  /** What is known of the building at a hit of a ray; null for anything else. */
  at(hit) {
    for (const tile of this.tiles.values()) {
      if (tile.mesh !== hit.object) continue;
      return tile.records[tile.mesh.geometry.getAttribute(FEATURE).getX(hit.face.a)] ?? null;
    }
    return null;
  }

  /** Buildings of the tiles that are drawn: record and top of the roof. */
  *drawn() {
    for (const [scene, tile] of this.tiles) if (isDrawn(scene)) yield* tile.places();
  }
}

function isDrawn(object) {
  for (let item = object; item; item = item.parent) if (!item.visible) return false;
  return object.parent !== null;
}

class Tile {
  constructor(mesh, scene, toLocal) {
    this.mesh = mesh;
    this.complete = false;
    this.edges = null;
    this.records = records(mesh, scene);
    this.boxes = boxes(mesh, this.records.length, toLocal);
    const rows = Math.max(1, Math.ceil(this.records.length / WIDTH));
    this.data = new Float32Array(4 * WIDTH * rows);
    this.texture = new DataTexture(this.data, WIDTH, rows, RGBAFormat, FloatType, undefined, undefined, undefined, NearestFilter, NearestFilter);
    this.boxes.forEach((box, row) => (this.data[4 * row + 3] = box.isEmpty() ? 0 : box.min.y));
    mesh.material.dispose();
    mesh.material = material(this.texture);
    mesh.castShadow = mesh.receiveShadow = true;
  }

  paint(coloring, chosen) {
    const color = new Color();
    this.records.forEach((record, row) => {
      if (chosen !== null && record.building_id === chosen) color.copy(CHOSEN);
      else coloring.of(record, color);
      color.toArray(this.data, 4 * row);
    });
    this.texture.needsUpdate = true;
  }

  setEdges(on) {
    if (on && !this.edges && this.mesh.geometry.index.count < 3 * EDGE_TRIANGLES) {
      this.edges = new LineSegments(edgesOf(this.mesh.geometry), EDGE);
      this.edges.raycast = () => {};
      this.mesh.add(this.edges);
    }
    if (this.edges) this.edges.visible = on;
  }

  *places() {
    for (const [row, box] of this.boxes.entries()) {
      if (!box.isEmpty()) yield { record: this.records[row], box };
    }
  }

  dispose() {
    this.texture.dispose();
    this.edges?.geometry.dispose();
    this.mesh.material.dispose();
  }
}

/** Edges where faces fold. Positions may be quantized: they are made plain numbers first. */
function edgesOf(geometry) {
  const plain = new BufferGeometry();
  const position = geometry.getAttribute("position").clone();
  plain.setAttribute("position", position);
  plain.setIndex(geometry.index);
  return new EdgesGeometry(plain, 20);
}

/** Rows of the property table of a tile, or of its batch table. */
function records(mesh, scene) {
  const table = scene.batchTable;
  if (table) return Array.from({ length: table.count }, (_, row) => table.getDataFromId(row));
  let metadata = null;
  for (let item = mesh; item && !metadata; item = item.parent) metadata = item.userData.structuralMetadata;
  metadata ??= scene.userData.structuralMetadata;
  const info = mesh.userData.meshFeatures?.getFeatureInfo()[0];
  if (!metadata || !info) return [];
  return Array.from({ length: info.featureCount }, (_, row) => ({
    ...metadata.getPropertyTableData([info.propertyTable ?? 0], [row])[0],
  }));
}

/** Box of each building in the local frame. */
function boxes(mesh, count, toLocal) {
  const found = Array.from({ length: count }, () => new Box3());
  const [position, feature] = [mesh.geometry.getAttribute("position"), mesh.geometry.getAttribute(FEATURE)];
  const point = new Vector3();
  for (let row = 0; row < position.count; row++) {
    point.fromBufferAttribute(position, row).applyMatrix4(toLocal);
    found[feature.getX(row)]?.expandByPoint(point);
  }
  return found;
}
