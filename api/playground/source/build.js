// Writes ../static/{graphiql.js,graphiql.css,LICENSE.txt}; see ../BUNDLE.md.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const STATIC = join(import.meta.dirname, "../static");

/** Replaces a pattern in files of packages, and fails when an update has moved it away. */
const change = (filter, pattern, replacement) => ({
  name: `change ${filter}`,
  setup(plugins) {
    let changed = 0;
    plugins.onLoad({ filter }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = text.replace(pattern, replacement);
      changed += Number(contents !== text);
      return { contents, loader: path.endsWith(".css") ? "css" : "js" };
    });
    plugins.onEnd(() => {
      if (changed !== 1) throw new Error(`${filter}: the pattern is in ${changed} files instead of one`);
    });
  },
});

const { metafile } = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { graphiql: "entry.js" },
  outdir: STATIC,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  banner: { js: "/* Made of the packages in LICENSE.txt. */", css: "/* Made of the packages in LICENSE.txt. */" },
  define: { "process.env.NODE_ENV": '"production"' },
  metafile: true,
  logLevel: "info",
  plugins: [
    // A tab that was given a label keeps it; others are named after their operation.
    change(/react\/dist\/editor\/tabs\.js$/, "title: newTab.op", "title: newTab.label || newTab.op"),
    // Dialogs would write a style into the page to stop it from scrolling: it never scrolls, and its policy forbids it.
    change(/react-style-singleton\/dist\/es2015\/component\.js$/, "useStyle(styles, dynamic);", ""),
    // The embedded fonts weigh more than all the styles; the reader's own do as well.
    change(/graphiql\/dist\/style\.css$/, /@font-face\s*\{[^}]*\}/g, ""),
  ],
});

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** The words of a package's licence; some are published without the file. */
const licence = (folder, { author, homepage, license, name, repository }) => {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
  if (files.length) return files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
  if (license !== "MIT") throw new Error(`${name}: ${license}, and no file says it`);
  const by = author?.name ?? author ?? "its contributors";
  const from = homepage ?? repository?.url ?? repository;
  return `MIT License, by its package.json. Copyright (c) ${by}, ${from}\n\n${MIT}`;
};

const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
const folders = new Set(used.flatMap((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/) ?? []));
const packages = new Map(); // by the text of their licence
for (const folder of [...folders].sort().map((path) => join(import.meta.dirname, path))) {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = licence(folder, about);
  packages.set(text, [...(packages.get(text) ?? []), `${about.name} ${about.version}`]);
}
const parts = [...packages].map(([text, names]) => `${names.join("\n")}\n\n${text}`);
const head = "graphiql.js and graphiql.css are made of the packages named here, each under the words below its name.";
writeFileSync(join(STATIC, "LICENSE.txt"), [head, ...parts].join(`\n\n${"-".repeat(80)}\n\n`).concat("\n"));
