// Programs of their own, for what the whole process has a part in.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The folder of the package: there `import "quorate"` means it. */
export const PACKAGE = fileURLToPath(new URL("../../..", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** Starts a program, an ES module as text. Its arguments begin at `process.argv[1]`. */
export function start(
  program: string,
  ...args: string[]
): { child: ChildProcess; end: Promise<Ended> } {
  const child = spawn(
    process.execPath,
    ["--input-type=module", "--expose-gc", "-e", program, "--", ...args],
    {
      cwd: PACKAGE,
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  const end = new Promise<Ended>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the program does not end; it said:\n${output}`));
    }, 60_000);
    child.on("close", (code, signal) => {
      clearTimeout(late);
      resolve({ code, signal, output });
    });
  });
  return { child, end };
}

/** Runs a program to its end. */
export function run(program: string, ...args: string[]): Promise<Ended> {
  return start(program, ...args).end;
}

/** Waits until a condition holds, within half a minute. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within half a minute`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The same without giving the event loop a turn. */
export function spin(condition: () => boolean, what: string): void {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within half a minute`);
    }
  }
}
