// Bundles the page into dist/: viewer.js, viewer.css, index.html, and the licences of what is in it.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = dirname(fileURLToPath(import.meta.url));
const out = join(home, "dist");
const packages = ["three", "3d-tiles-renderer", "meshoptimizer"];

await mkdir(out, { recursive: true });

const texts = [];
for (const name of packages) {
  const folder = join(home, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = name === "meshoptimizer" ? "LICENSE.md" : "LICENSE";
  const text = await readFile(join(folder, file), "utf8").catch(() => `${license}\n`);
  texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
}
const licences = texts.join(`\n${"-".repeat(72)}\n\n`);
if (/\*\/|<\/script/i.test(licences)) throw new Error("a licence text would end the comment that holds it");
await writeFile(join(out, "licenses.txt"), licences);

await build({
  entryPoints: [join(home, "page", "main.js")],
  outfile: join(out, "viewer.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  banner: { js: `/*!\n${licences}*/` },
  logLevel: "warning",
});
await copyFile(join(home, "page", "index.html"), join(out, "index.html"));
await copyFile(join(home, "page", "viewer.css"), join(out, "viewer.css"));
