import { hub } from "./hub.js";
import type { Early, NativePart } from "./native.js";
import {
  type CallOptions,
  CREATE_MODES,
  type Data,
  type NodeOptions,
  type PartResult,
} from "./types.js";
import { bytes, numberOf, versionOf } from "./values.js";

/** Demands a version of the node; any if absent. */
export interface VersionDemand {
  readonly version?: number | undefined;
}

/** Writes and checks that happen all or not at all, in this order. Nothing happens before `commit`. */
export class Multi {
  readonly #submit: (token: number, parts: readonly NativePart[]) => Early;
  readonly #parts: NativePart[] = [];

  /** @internal */
  constructor(submit: (token: number, parts: readonly NativePart[]) => Early) {
    this.#submit = submit;
  }

  /** Creates a node. */
  create(path: string, data: Data = "", options?: NodeOptions): this {
    this.#parts.push({
      kind: "create",
      path,
      data: bytes(data),
      mode: numberOf(CREATE_MODES, options?.mode ?? "persistent"),
      ...(options?.ttlMs !== undefined && { ttlMs: options.ttlMs }),
      ...(options?.acl && { acl: options.acl }),
    });
    return this;
  }

  /** Writes data. */
  set(path: string, data: Data, options?: VersionDemand): this {
    this.#parts.push({ kind: "set", path, data: bytes(data), version: versionOf(options) });
    return this;
  }

  /** Deletes a node without children. */
  delete(path: string, options?: VersionDemand): this {
    this.#parts.push({ kind: "delete", path, version: versionOf(options) });
    return this;
  }

  /** Demands that a node exists, at this version if one is given. */
  check(path: string, options?: VersionDemand): this {
    this.#parts.push({ kind: "check", path, version: versionOf(options) });
    return this;
  }

  /** Number of parts. */
  get length(): number {
    return this.#parts.length;
  }

  /** Submits it. The results stand in the order of the parts. When a part fails, nothing has happened, and the error's `part` says which. */
  commit(options?: CallOptions): Promise<PartResult[]> {
    return hub.operation<PartResult[]>(
      { operation: "multi", path: "", writes: true },
      options,
      (token) => this.#submit(token, this.#parts),
    );
  }
}
