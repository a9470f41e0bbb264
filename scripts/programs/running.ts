/** What a script has started and not seen ending yet. It goes on a failure and on a signal, the latest first. */

type Stop = () => unknown;

const running: Stop[] = [];
let ending: Promise<void> | null = null;
let interrupted = false;

/** Returns how to forget it: it has ended, or is being ended. */
export function keepRunning(stop: Stop): () => void {
  running.push(stop);
  return () => {
    const at = running.indexOf(stop);
    if (at >= 0) running.splice(at, 1);
  };
}

/** One after the other: what was started later may need what was started before. */
export function stopAll(): Promise<void> {
  ending ??= (async () => {
    for (let stop = running.pop(); stop !== undefined; stop = running.pop()) await stop();
    ending = null;
  })();
  return ending;
}

/** A second signal of the same kind ends the script at once. */
export function stopAllOnSignals(): void {
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.once(signal, () => {
      interrupted = true;
      void stopAll().finally(() => process.exit(128 + number));
    });
  }
}

/** After a signal all else fails as well, and that says nothing. */
export function wasInterrupted(): boolean {
  return interrupted;
}
