// What the loader says when there is no addon, or none that works.

import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { PACKAGE } from "./support/child.mjs";

it("the error of a package without a binary tells the truth", async () => {
  const copy = await mkdtemp(join(tmpdir(), "quorate-loader-"));
  try {
    for (const part of ["dist", "package.json"]) {
      await cp(join(PACKAGE, part), join(copy, part), { recursive: true });
    }
    const require = createRequire(join(copy, "program.js"));
    const load = () => require("./dist/index.js");
    const [platform] = await readdir(join(PACKAGE, "prebuilds"));
    const file = join(copy, "prebuilds", platform ?? "", "quorate.node");
    assert.throws(load, (error: Error & { code?: string }) => {
      assert.equal(error.code, "QUORATE_ADDON_MISSING");
      assert(
        error.message.includes(`${process.platform} ${process.arch}, Node ${process.version}`),
      );
      assert(error.message.includes(`${file}: there is no such file`), error.message);
      assert.match(error.message, /npm run build/);
      return true;
    });
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, "no library");
    assert.throws(load, (error: Error) => {
      assert(error.message.includes(`${file}: `), error.message);
      assert(!error.message.includes(`${file}: there is no such file`), error.message);
      return true;
    });
  } finally {
    await rm(copy, { recursive: true });
  }
});
