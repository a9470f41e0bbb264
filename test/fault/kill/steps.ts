/** Calls of the host program on an image, each with what its answer promises. The handle is `i`. */
import type { HostScript } from '../../support/host-program.ts';
import { type ExpectedImage, type Plan, writeLines } from './expected-image.ts';

export interface Step {
  line: string;
  /** Holds as soon as the call is made. */
  before?: () => void;
  /** Holds once it was answered with success. */
  after?: () => void;
  /** Members that a good answer has. */
  demands?: Record<string, unknown>;
}

export function creation(image: ExpectedImage): Step {
  return {
    line: `create_image v i ${image.lsu} ${image.name} ${image.date}`,
    before: () => {
      image.created = 'maybe';
    },
    after: () => {
      image.created = 'yes';
      image.held = true;
    },
  };
}

export function opening(image: ExpectedImage): Step {
  return {
    line: `open_image v i ${image.lsu} ${image.name} ${image.date} 2`,
    after: () => {
      image.held = true;
    },
  };
}

export function writing(image: ExpectedImage, from: number, to: number): Step[] {
  return writeLines('i', image.plans[0] as Plan, from, to).map((line) => ({
    line,
    before: () => {
      image.written = Math.max(image.written, to);
    },
  }));
}

/** `durable`: what the answer promises. */
export function ending(image: ExpectedImage, line: 'flush i' | 'close i 0' | 'close i 1', durable: number): Step {
  const completes = line === 'close i 1';
  return {
    line,
    before: () => {
      if (line !== 'flush i') image.held = false;
      if (completes) image.completed = 'maybe';
    },
    after: () => {
      image.durable = durable;
      if (completes) image.completed = 'yes';
    },
  };
}

export function deleting(image: ExpectedImage): Step {
  return {
    line: `delete v ${image.lsu} ${image.name} ${image.date}`,
    before: () => {
      image.deleted = 'maybe';
    },
    after: () => {
      image.deleted = 'yes';
    },
  };
}

/**
 * Takes the steps until one is not answered with success; returns that answer's name and text, null when all were.
 * `changed` is told whenever what may be demanded of the images has changed.
 */
export async function take(
  host: HostScript,
  steps: readonly Step[],
  changed: () => void = () => undefined,
): Promise<string | null> {
  for (const { line, before, after } of steps) {
    before?.();
    changed();
    const answer = await host.call(line);
    if (answer.status !== 0) return `${answer.name}: ${line}: ${answer.text}`;
    after?.();
    changed();
  }
  return null;
}
