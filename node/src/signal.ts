// One listener per signal, however many calls wait with it: Node warns of more than ten.

interface Waiting {
  readonly callbacks: Set<(reason: unknown) => void>;
  readonly listener: () => void;
}

const signals = new WeakMap<AbortSignal, Waiting>();

/** Calls back with the signal's reason when it fires, unless what this returns is called before. The signal has not fired yet. */
export function onAbort(signal: AbortSignal, callback: (reason: unknown) => void): () => void {
  const waiting = signals.get(signal) ?? listen(signal);
  waiting.callbacks.add(callback);
  return () => {
    waiting.callbacks.delete(callback);
    if (waiting.callbacks.size === 0 && signals.delete(signal)) {
      // A signal that somebody listens to may be kept for its whole life.
      signal.removeEventListener("abort", waiting.listener);
    }
  };
}

function listen(signal: AbortSignal): Waiting {
  const callbacks = new Set<(reason: unknown) => void>();
  const listener = () => {
    for (const callback of callbacks) {
      callback(signal.reason);
    }
  };
  const waiting = { callbacks, listener };
  signals.set(signal, waiting);
  signal.addEventListener("abort", listener, { once: true });
  return waiting;
}
