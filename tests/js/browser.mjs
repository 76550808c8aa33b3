// Opens a page in headless Chromium, runs one of the programs below in it, prints what comes back.
//
//   node browser.mjs '{"url": ..., "program": ..., "chromium": ..., "screenshot": ..., ...}'
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
];

const asked = JSON.parse(process.argv[2]);
const { width = 1024, height = 640, language = "en" } = asked;
const browser = await chromium.launch({ executablePath: asked.chromium, headless: true, args: FLAGS });
const page = await browser.newPage({ viewport: { width, height }, locale: language });
const seen = { foreign: [], errors: [], dialogs: [], statuses: {} };
page.on("pageerror", (error) => seen.errors.push(error.message));
page.on("dialog", (dialog) => {
  seen.dialogs.push(dialog.message());
  return dialog.dismiss();
});
page.on("request", (request) => {
  const url = request.url();
  if (!url.startsWith(asked.url.split("?")[0]) && !/^(data|blob):/.test(url)) seen.foreign.push(url);
});
page.on("response", (response) => {
  if (response.status() >= 400) seen.statuses[response.url()] = response.status();
});

/** The viewer of cimkit. */
async function viewer() {
  await page.goto(asked.url);
  await page.waitForFunction(() => globalThis.cimkit, null, { timeout: 60_000 });
  await page.evaluate(() => globalThis.cimkit.ready);
  const found = [];
  for (const step of asked.steps) {
    found.push(
      await page.evaluate(async (code) => {
        const run = new Function("cimkit", `return (async () => { ${code} })()`);
        const result = await run(globalThis.cimkit);
        await globalThis.cimkit.idle();
        return result ?? null;
      }, step.code ?? ""),
    );
    if (step.screenshot) await page.screenshot({ path: step.screenshot });
  }
  return { steps: found, failures: await page.evaluate(() => globalThis.cimkit.failures) };
}

/** CesiumJS with nothing but a tileset. */
async function cesium() {
  await page.goto(asked.url);
  await page.waitForFunction(() => globalThis.opened, null, { timeout: 60_000 });
  const result = await page.evaluate(async (picks) => {
    const opened = await globalThis.opened;
    await opened.settle();
    const found = [];
    for (const place of picks) found.push(await opened.pick(place));
    return { found, ...opened.report() };
  }, asked.picks ?? []);
  if (asked.screenshot) await page.screenshot({ path: asked.screenshot });
  return result;
}

const result = await { viewer, cesium }[asked.program]();
await browser.close();
console.log(JSON.stringify({ ...result, seen }));
