// Compiles the tests and runs them, or those whose names are given.
//
//   node scripts/test.mjs [name ...]

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(here, "test", "out");

function run(program, args) {
  const { status, signal, error } = spawnSync(program, args, { cwd: here, stdio: "inherit" });
  if (status !== 0) {
    console.error(`${program} ${args[0]} ended with ${error ?? signal ?? status}`);
    process.exit(status ?? 1);
  }
}

rmSync(out, { recursive: true, force: true });
run("npx", ["--no-install", "tsc", "-p", "test"]);
const wanted = process.argv.slice(2);
const files = readdirSync(out)
  .filter((file) => /\.test\.[cm]js$/.test(file))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.startsWith(`${name}.`)))
  .map((file) => join(out, file));
run(process.execPath, ["--test", "--expose-gc", ...files]);
