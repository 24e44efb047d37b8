// Bundles the pages' scripts and styles, with htmx and Bootstrap, into service/web/static/built/.
// File names carry a hash of what is in them, so browsers may keep them for ever; manifest.json
// says which name is the present one.
import { build } from "esbuild";
import { rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";

const into = "service/web/static/built";
await rm(into, { recursive: true, force: true });
const result = await build({
  entryPoints: ["desk.js", "desk.css", "theme.js", "mark.svg"].map(
    (name) => `service/web/source/${name}`,
  ),
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome109", "firefox115", "safari16"],
  loader: { ".svg": "copy" },
  legalComments: "linked",
  entryNames: "[name]-[hash]",
  outdir: into,
  metafile: true,
  logLevel: "warning",
});
const manifest = {};
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  if (output.entryPoint) manifest[basename(output.entryPoint)] = basename(path);
}
await writeFile(`${into}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
