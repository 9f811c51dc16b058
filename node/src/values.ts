import type { CallOptions, Data } from "./types.js";

/** The bytes of what a user calls data. */
export function bytes(data: Data): Buffer {
  if (typeof data === "string") {
    return Buffer.from(data, "utf8");
  }
  if (Buffer.isBuffer(data)) {
    return data;
  }
  if (data instanceof Uint8Array) {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }
  throw new TypeError("data must be a string, a Buffer or a Uint8Array");
}

/** The number of a word of a table. */
export function numberOf(table: readonly string[], word: string): number {
  const number = table.indexOf(word);
  if (number < 0) {
    throw new TypeError(`${JSON.stringify(word)} is none of ${table.join(", ")}`);
  }
  return number;
}

/** A whole number, as the native half has it: it would quietly take another one for what does not fit. */
export function whole(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
  }
  return value;
}

/** The expected version of a node; -1 for any. */
export function versionOf(options: { version?: number | undefined } | undefined): number {
  const version = options?.version;
  return version === undefined ? -1 : whole("version", version, -(2 ** 31), 2 ** 31 - 1);
}

/** A time limit, ms; `null` if there is none, or one that is longer than any timer runs. */
export function limitOf(options: CallOptions | undefined): number | null {
  const ms = options?.timeoutMs;
  if (ms === undefined || ms > LONGEST_LIMIT) {
    return null;
  }
  return whole("timeoutMs", Math.max(0, Math.ceil(ms)), 0, LONGEST_LIMIT);
}

/** What a timer can wait for, ms: 24 days. */
export const LONGEST_LIMIT = 2 ** 31 - 1;
