/**
 * Every file-system call of every step is made to fail, one after the other: the step tells which and where, leaves no
 * temporary and no open file, and nothing that was there before is harmed.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errno } from '../../engine/core/errors.ts';
import { addon } from '../../native/addon/index.ts';
import type { FileStore } from '../../workers/file/file-store.ts';
import type { OpenFiles, StoreFailure } from '../../workers/store.ts';
import { AddonCalls, type Fault } from '../support/addon-calls.ts';
import {
  claimText,
  close,
  crcs,
  create,
  failureOf,
  fileKit,
  headerBytes,
  image,
  lsu,
  openCounts,
  Payload,
  path,
  pattern,
  textsOf,
} from './store-kit.ts';

type Files = OpenFiles;

interface Step {
  /** Runs on an image of two chunks that was flushed once; answers what it opened. */
  run(store: FileStore, files: Files): Files | undefined;
  /** Both are whole states: which of them stays after a failure depends on the call that failed. */
  metas: string[];
  fresh?: string;
}

const old = '{"flushed":1}';
const flushArg = (files: Files) => ({
  ...path,
  files,
  token: 'token-1',
  meta: '{"flushed":2}',
  size: 2_097_152,
  sumsAt: headerBytes,
  crcs: crcs(0, 2),
});
const steps: Record<string, Step> = {
  create: { run: (store) => create(store, 'fresh~1', 'token-2'), metas: [old], fresh: 'fresh~1' },
  flush: { run: (store, files) => void store.flushImage(flushArg(files)), metas: [old, '{"flushed":2}'] },
  commit: {
    run: (store, files) =>
      void store.commitImage({ ...flushArg(files), size: 5120, claim: claimText('token-1'), claimN: 1 }),
    metas: [old, '{"flushed":2}'],
  },
  replaceMeta: {
    run: (store, files) => void store.replaceMeta({ ...path, dir: files.dir, token: 'token-1', meta: '{"below":0}' }),
    metas: [old, '{"below":0}'],
  },
  takeClaim: {
    run: (store) => {
      const over = [{ n: 1, text: claimText('token-1') }];
      store.takeClaim({ ...path, n: 2, claim: claimText('two'), token: 'two', over });
      return undefined;
    },
    metas: [old],
  },
  reopen: {
    run: (store) => store.reopenImage({ ...path, data: 'image.data', sums: true, size: 0, wholeChunks: 2 }),
    metas: [old],
  },
  open: { run: (store) => store.openImage({ ...path, data: ['image.data'], sums: true }), metas: [old] },
  stat: { run: (store) => void store.statImage(path), metas: [old] },
  label: { run: (store) => void store.labelLsu({ lsu, text: 'new', token: 't' }), metas: [old] },
  list: {
    run: (store) => {
      const { list } = store.openNames({ lsu });
      try {
        store.nextNames({ list, lsu, max: 10, meta: true });
      } finally {
        store.closeNames({ list });
      }
      return undefined;
    },
    metas: [old],
  },
  remove: { run: (store) => void store.removeImage({ ...path, token: 'r1' }), metas: [old] },
};

/** A flushed image in a fresh store. */
function prepared(): { kit: ReturnType<typeof fileKit>; files: Files } {
  const kit = fileKit();
  using payload = new Payload();
  const files = create(kit.store);
  payload.write(files.data, pattern(8192, 1), 0);
  kit.store.flushImage({ ...flushArg(files), meta: old });
  return { kit, files };
}

/** Names below the LSU that no finished step leaves. */
function temporaries(root: string): string[] {
  return (readdirSync(join(root, lsu), { recursive: true }) as string[]).filter((name) =>
    /(^|\/)\.(new|meta|claim|lsu)-/.test(name),
  );
}

function countCalls(step: Step): number {
  using calls = new AddonCalls({ skipSyncs: true });
  const { kit, files } = prepared();
  calls.reset();
  const opened = step.run(kit.store, files);
  const count = calls.calls.length;
  if (opened) close(kit.store, opened);
  close(kit.store, files);
  kit[Symbol.dispose]();
  return count;
}

/** Runs the step with one fault. Answers its failure, or null where the store could do without that call. */
function spoiled(
  step: Step,
  fault: Fault,
): { failure: StoreFailure | null; failed: string; later: string[]; leaks: number[] } {
  using calls = new AddonCalls({ skipSyncs: true });
  const { kit, files } = prepared();
  const before = openCounts();
  calls.reset(fault);
  let failure: StoreFailure | null = null;
  try {
    failure = failureOf(() => {
      const opened = step.run(kit.store, files);
      if (opened) close(kit.store, opened);
    });
  } catch (error) {
    if ((error as Error).message !== 'the call succeeded') throw error;
  }
  const spoiledCall = calls.calls[fault.at];
  const later = calls.calls
    .slice(fault.at + 1)
    .filter(({ name, args }) => name === spoiledCall.name && args[0] === spoiledCall.args[0])
    .map(({ name }) => name);
  calls.reset();
  // A commit that succeeded has closed the image's three files.
  if (failure === null && step === steps.commit) before[0] -= 3;
  const leaks = openCounts().map((count, i) => count - before[i]);
  checkState(step, kit, fault.when === 'before' && spoiledCall.name !== 'unlinkFile');
  close(kit.store, files);
  kit[Symbol.dispose]();
  return { failure, failed: spoiledCall.name, later, leaks };
}

function checkState(step: Step, kit: ReturnType<typeof fileKit>, clean: boolean): void {
  const { store, root } = kit;
  const names = readdirSync(join(root, lsu));
  const removed = !names.includes(image);
  if (removed) expect(step).toBe(steps.remove);
  else expect(step.metas).toContain(store.statImage(path).meta);
  // A temporary may stay only where making it was carried out and the answer lost, or where removing it failed.
  if (clean) expect(temporaries(root)).toEqual([]);
  if (step.fresh !== undefined && names.includes(step.fresh)) {
    expect(store.statImage({ lsu, image: step.fresh })).toMatchObject({
      meta: '{"meta":"token-2"}',
      claims: [{ n: 1 }],
    });
  }
}

const syncs = ['syncFile', 'syncData'];
/** Removing what is no longer needed, and beginning a write that a sync will end, may fail in silence. */
const silent = ['unlinkFile', 'startWriteback'];

describe.each(Object.entries(steps))('%s', (_, step) => {
  const count = countCalls(step);
  const all = Array.from({ length: count }, (_, at) => at);

  it(`fails cleanly at each of its ${count} calls`, () => {
    for (const at of all) {
      const { failure, failed, later, leaks } = spoiled(step, { at, errno: errno.EIO, when: 'before' });
      const where = `call ${at}, ${failed}`;
      expect(leaks, where).toEqual([0, 0, 0, 0, 0]);
      // All else is told, with its errno and path.
      if (silent.includes(failed)) continue;
      expect(failure, where).toMatchObject({ errno: -errno.EIO });
      expect(failure!.step, where).not.toBe('');
      expect(failure!.syncFailed ?? false, where).toBe(syncs.includes(failed));
      // A sync that failed is never tried again.
      if (syncs.includes(failed)) expect(later, where).toEqual([]);
    }
  });

  it('keeps a whole state when the answer of any call is lost', () => {
    for (const at of all) {
      const { failed, leaks } = spoiled(step, { at, errno: errno.EIO, when: 'after' });
      expect(leaks, `call ${at}, ${failed}`).toEqual([0, 0, 0, 0, 0]);
    }
  });

  it('passes on whatever the storage says', () => {
    const codes = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ESTALE];
    for (const at of all) {
      const code = codes[at % codes.length];
      const { failure, failed } = spoiled(step, { at, errno: code, when: 'before' });
      // One name of a list that went stale is looked up again.
      if (code === errno.ESTALE && step === steps.list && failed !== 'nextNames' && failed !== 'openList') continue;
      if (!silent.includes(failed)) expect(failure, `call ${at}, ${failed}`).toMatchObject({ errno: -code });
    }
  });
});

describe('a list over metas that others replace', () => {
  const listed = (kit: ReturnType<typeof fileKit>, stale: number) => {
    const { list } = kit.store.openNames({ lsu });
    // Every read of the meta goes stale until `stale` of them have.
    let left = stale;
    const real = addon.readBytes;
    addon.readBytes = (...args) => (left-- > 0 ? -errno.ESTALE : real.apply(addon, args));
    // What could not be read with others is read by itself.
    const many = addon.readListed;
    addon.readListed = (list, suffix, max, out) => {
      const count = many.call(addon, list, suffix, max, out);
      const packed = Buffer.from(out.buffer, out.byteOffset);
      for (let i = 0; i < count; i++) packed.writeInt32LE(-errno.ESTALE, packed.readUInt32LE(8 + 4 * i));
      return count;
    };
    try {
      return textsOf(kit.store.nextNames({ list, lsu, max: 10, meta: true }));
    } finally {
      addon.readBytes = real;
      addon.readListed = many;
      kit.store.closeNames({ list });
    }
  };

  it('looks a stale name up again, and gives up when it stays stale', () => {
    const { kit, files } = prepared();
    expect(listed(kit, 2)).toEqual([{ name: image, meta: old }]);
    expect(failureOf(() => void listed(kit, 3))).toMatchObject({ errno: -errno.ESTALE });
    close(kit.store, files);
    kit[Symbol.dispose]();
  });
});

describe('answers lost by the network', () => {
  it.each([
    ['create', 'renameFile', errno.ENOTEMPTY],
    ['create', 'makeDir', errno.EEXIST],
    ['takeClaim', 'linkFile', errno.EEXIST],
    ['remove', 'renameFile', errno.ENOENT],
  ] as const)('%s knows its own repeated %s', (name, call, code) => {
    const { kit, files } = prepared();
    // .trash is there already: remove's first rename is then the one that counts.
    close(kit.store, create(kit.store, 'gone~1', 't9'));
    kit.store.removeImage({ lsu, image: 'gone~1', token: 'r0' });
    const step = steps[name];
    const at = (() => {
      const other = prepared();
      using calls = new AddonCalls();
      const opened = step.run(other.kit.store, other.files);
      if (opened) close(other.kit.store, opened);
      const found = calls.names.indexOf(call);
      close(other.kit.store, other.files);
      other.kit[Symbol.dispose]();
      return found;
    })();
    using calls = new AddonCalls();
    calls.reset({ at, errno: code, when: 'after' });
    const opened = step.run(kit.store, files);
    expect(calls.calls[at]).toMatchObject({ name: call, result: -code });
    calls.reset();
    if (opened) close(kit.store, opened);
    close(kit.store, files);
    expect(temporaries(kit.root)).toEqual([]);
    kit[Symbol.dispose]();
  });
});
