// What both Node programs share.

const SECONDS = 2;
const IN_FLIGHT = 1000;

/** Operations per second, one after the other. */
export async function alone(call) {
  const begin = performance.now();
  let done = 0;
  while (performance.now() < begin + SECONDS * 1000) {
    for (let n = 0; n < 100; n += 1) {
      await call();
    }
    done += 100;
  }
  return (done / (performance.now() - begin)) * 1000;
}

/** Operations per second with many under way: where one ends, the next begins. */
export async function inFlight(call) {
  const begin = performance.now();
  const end = begin + SECONDS * 1000;
  let done = 0;
  async function work() {
    while (performance.now() < end) {
      await call();
      done += 1;
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return (done / (performance.now() - begin)) * 1000;
}

export function say(measure, value) {
  console.log(JSON.stringify({ measure, value }));
}
