// Builds the addon with cargo, puts it where the loader looks, and compiles the TypeScript half.
//
//   node scripts/build.mjs [--debug]

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(here);
const debug = process.argv.includes("--debug");

const run = (program, args, cwd) => execFileSync(program, args, { cwd, stdio: "inherit" });

/** As the loader calls this platform. */
function platform() {
  const host = execFileSync("rustc", ["-vV"], { encoding: "utf8" }).match(/^host: (.*)$/m)[1];
  const libc = host.includes("-musl") ? "-musl" : "-gnu";
  return `${process.platform}-${process.arch}${process.platform === "linux" ? libc : ""}`;
}

/** Where cargo puts what it builds. */
function target() {
  const args = ["metadata", "--no-deps", "--format-version", "1"];
  const metadata = execFileSync("cargo", args, { cwd: root, maxBuffer: 1 << 26 });
  return JSON.parse(metadata).target_directory;
}

// What the addon is linked with is the workspace's, built once for all; only the addon itself goes without symbols.
const how = debug ? [] : ["--release", "--", "-C", "strip=symbols"];
run("cargo", ["rustc", "--locked", "-p", "quorate-node", ...how], root);
const library = process.platform === "darwin" ? "libquorate_node.dylib" : "libquorate_node.so";
const built = join(target(), debug ? "debug" : "release", library);
const folder = join(here, "prebuilds", platform());
mkdirSync(folder, { recursive: true });
// Under its name only when it is whole: a process that has loaded the old one keeps it.
copyFileSync(built, join(folder, "quorate.node.new"));
renameSync(join(folder, "quorate.node.new"), join(folder, "quorate.node"));

rmSync(join(here, "dist"), { recursive: true, force: true });
run("npx", ["--no-install", "tsc", "-p", "src"], here);
