// The native half: what it offers, and how its file is found.

import { existsSync } from "node:fs";
import { join } from "node:path";

/** An answer that is there already: one record of a batch. */
export type Early = Buffer | null;

export interface NativePart {
  readonly kind: "create" | "set" | "delete" | "check";
  readonly path: string;
  readonly data?: Buffer;
  readonly version?: number;
  readonly mode?: number;
  readonly ttlMs?: number;
  readonly acl?: readonly { perms: number; scheme: string; id: string }[];
}

/** Numbers that come first are tokens: what becomes of the call comes under that number. */
export interface NativeClient {
  get(token: number, path: string, watch: number | null): Early;
  exists(token: number, path: string, watch: number | null): Early;
  children(token: number, path: string, watch: number | null): Early;
  set(token: number, path: string, data: Uint8Array, version: number): Early;
  delete(token: number, path: string, version: number): Early;
  create(
    token: number,
    path: string,
    data: Uint8Array,
    mode: number,
    ttlMs: number | null,
    acl: readonly { perms: number; scheme: string; id: string }[] | null,
  ): Early;
  sync(token: number, path: string): Early;
  watch(token: number, watch: number, path: string, recursive: boolean): Early;
  unwatch(watch: number): void;
  multi(token: number, parts: readonly NativePart[]): Early;
  acquire(
    token: number,
    path: string,
    mode: number,
    data: Uint8Array,
    atOnce: boolean,
    timeoutMs: number | null,
  ): void;
  lead(
    token: number,
    path: string,
    id: Uint8Array,
    session: boolean,
    timeoutMs: number | null,
  ): void;
  states(token: number): void;
  close(token: number): void;
  readonly state: number;
  readonly sessionId: bigint;
  sessionPassword(): Buffer | null;
  readonly sessionTimeoutMs: number;
  readonly lastZxid: bigint;
}

/** A lock, or a leader's term. */
export interface NativeHeld {
  readonly token: bigint;
  readonly path: string;
  readonly isHeld: boolean;
  lost(token: number): void;
  guarded(token: number, parts: readonly NativePart[]): Early;
  release(token: number): boolean;
}

export interface NativeServer {
  readonly address: string | null;
  stop(token: number): boolean;
}

export interface NativeHub {
  drain(limit: number): Buffer;
  cancel(token: number): void;
  end(): void;
  connect(token: number, options: object, server: NativeServer | null): Early;
  startServer(token: number, options: object): void;
  takeClient(token: number): NativeClient | null;
  takeHeld(token: number): NativeHeld | null;
  takeTerm(token: number): NativeHeld | null;
  takeServer(token: number): NativeServer | null;
}

interface Native {
  readonly Hub: new (look: () => void) => NativeHub;
}

/** Where the addon may lie. On Linux the C library decides; which one this is, the attempt to load it shows best. */
function candidates(): string[] {
  const { platform, arch } = process;
  const names =
    platform === "linux"
      ? [`${platform}-${arch}-gnu`, `${platform}-${arch}-musl`]
      : [`${platform}-${arch}`];
  return names.map((name) => join(__dirname, "..", "prebuilds", name, "quorate.node"));
}

function load(): Native {
  const failures: string[] = [];
  for (const file of candidates()) {
    if (!existsSync(file)) {
      failures.push(`${file}: there is no such file`);
      continue;
    }
    try {
      return require(file) as Native;
    } catch (error) {
      failures.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const message = [
    `quorate has no native addon that works here (${process.platform} ${process.arch}, Node ${process.version}).`,
    "Looked for:",
    ...failures.map((failure) => `  ${failure}`),
    "If the package has none for this platform, build it from the source: `npm ci && npm run build` in the folder `node` of the",
    "repository, with Rust 1.95 or newer.",
  ].join("\n");
  throw Object.assign(new Error(message), { code: "QUORATE_ADDON_MISSING" });
}

export const native: Native = load();
