// What a step's result has to be.

export type Value = null | boolean | number | bigint | string | Value[] | { [name: string]: Value };

export interface Step {
  readonly do: string;
  readonly [argument: string]: Value;
}

export type Saved = Map<string, Value>;

/** Looks at a result as `expect`, `greater` and `save` of a step say. */
export function judge(step: Step, result: Value, saved: Saved): void {
  const expected = step.expect ?? {};
  if (member(expected, "error") === undefined && member(result, "error") !== undefined) {
    throw new Error(`failed: ${show(result)}`);
  }
  if (!matches(expected, result)) {
    throw new Error(`expected ${show(expected)}, got ${show(result)}`);
  }
  for (const [path, name] of Object.entries(step.greater ?? {})) {
    const now = at(result, path);
    const before = saved.get(String(name));
    if (!(BigInt(String(now)) > BigInt(String(before)))) {
      throw new Error(`${path} is ${show(now)}, not greater than ${show(before)}`);
    }
  }
  for (const [name, path] of Object.entries(step.save ?? {})) {
    saved.set(name, at(result, String(path)) ?? null);
  }
}

/** The step with what was saved in the place of `${name}`. */
export function filledIn<T extends Value>(step: T, saved: Saved): T {
  const fill = (value: Value): Value => {
    if (typeof value === "string") {
      return value.replace(/\$\{(\w+)\}/g, (_, name: string) => String(saved.get(name)));
    }
    if (Array.isArray(value)) {
      return value.map(fill);
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, value]) => [name, fill(value)]));
    }
    return value;
  };
  return fill(step) as T;
}

function matches(expected: Value, found: Value | undefined): boolean {
  if (Array.isArray(expected)) {
    return (
      Array.isArray(found) &&
      expected.length === found.length &&
      expected.every((value, index) => matches(value, found[index]))
    );
  }
  if (expected !== null && typeof expected === "object") {
    return Object.entries(expected).every(([name, value]) => matches(value, member(found, name)));
  }
  if (typeof found === "bigint" || typeof found === "number") {
    return (
      (typeof expected === "string" || typeof expected === "number") &&
      String(expected) === String(found)
    );
  }
  return expected === found;
}

function member(value: Value | undefined, name: string): Value | undefined {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  return isObject ? value[name] : undefined;
}

/** A member, by a path with dots. */
function at(value: Value, path: string): Value | undefined {
  return path.split(".").reduce<Value | undefined>((value, name) => member(value, name), value);
}

function show(value: Value | undefined): string {
  return value === undefined
    ? "nothing"
    : JSON.stringify(value, (_, value) => (typeof value === "bigint" ? Number(value) : value));
}
