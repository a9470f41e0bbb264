import { describe, expect, it } from 'vitest';
import { shipped } from '../sim/transfer-code.ts';
import { checkHungLane, checkRandomReader, checkReadWorld } from '../sim/transfer-read-world.ts';
import { seed } from '../support/property.ts';

const { ReadPlan } = shipped;
const mib = 1024 * 1024;

describe('read plan', () => {
  it(`gives an honest client its bytes, whatever crosses (seed ${seed})`, () => checkReadWorld(shipped, 1000));
  it(`reads no more than a random reader touches (seed ${seed})`, () => checkRandomReader(shipped, 200));

  it('goes on beside a lane that hangs, with another arena to come', () => checkHungLane(shipped));

  it('turns read-ahead on with the second sequential READ, and fills every slot', () => {
    const plan = new ReadPlan({ size: 100 * mib, slots: 2, slotBytes: 4 * mib });
    expect(plan.read({ callId: 1, offset: 0, length: 256 * 1024, generation: 1 })).toEqual([
      { kind: 'fill', slot: 0, offset: 0, length: mib },
    ]);
    expect(plan.filled(0, mib)).toEqual([
      { kind: 'data', slot: 0, slotOffset: 0, offset: 0, length: mib, generation: 1 },
      { kind: 'reply', callId: 1, status: 0, errno: 0, text: '', offset: 0 },
    ]);
    expect(plan.slotDone(0, 1)).toEqual([]);
    expect(plan.read({ callId: 2, offset: mib, length: 256 * 1024, generation: 1 })).toEqual([
      { kind: 'grow' },
      { kind: 'fill', slot: 0, offset: mib, length: 4 * mib },
      { kind: 'fill', slot: 1, offset: 5 * mib, length: 4 * mib },
    ]);
    expect(plan.sequential).toBe(true);
  });

  const fills = (actions: readonly { kind: string }[]): unknown[] =>
    actions.flatMap((action) => {
      const { kind, slot, offset, length } = action as { kind: string; slot: number; offset: number; length: number };
      return kind === 'fill' ? [[slot, offset / mib, length / mib]] : [];
    });

  it('reads into all slots but one, which is the client’s to copy from; what is being verified is read already', () => {
    const plan = new ReadPlan({ size: 100 * mib, slots: 3, slotBytes: 4 * mib, spareOne: true });
    plan.read({ callId: 1, offset: 0, length: 4 * mib, generation: 1 });
    plan.filled(0, 4 * mib);
    plan.slotDone(0, 1);
    expect(fills(plan.read({ callId: 2, offset: 4 * mib, length: mib, generation: 1 }))).toEqual([
      [0, 4, 4],
      [1, 8, 4],
    ]);
    expect(fills(plan.came(0))).toEqual([[2, 12, 4]]);
    expect(plan.came(0)).toEqual([]);
    expect(fills(plan.filled(0, 4 * mib))).toEqual([]);
    expect(fills(plan.slotDone(0, 1))).toEqual([]);
    expect(fills(plan.filled(1, 4 * mib))).toEqual([[0, 16, 4]]);
    // A jump waits for nothing of what was read before: the slot that is free is for it.
    expect(fills(plan.read({ callId: 3, offset: 50 * mib, length: mib, generation: 2 }))).toEqual([[1, 50, 1]]);
  });

  it('reads the last bytes of an image in ever smaller pieces', () => {
    const plan = new ReadPlan({ size: 28 * mib + 5, slots: 8, slotBytes: 16 * mib, spareOne: true });
    plan.read({ callId: 1, offset: 0, length: 1, generation: 1 });
    plan.filled(0, mib);
    plan.slotDone(0, 1);
    const ahead = plan.read({ callId: 2, offset: mib, length: 1, generation: 1 });
    expect(fills(ahead)).toEqual([
      [0, 1, 16],
      [1, 17, 6],
      [2, 23, 3],
      [3, 26, 2 + 5 / mib],
    ]);
  });

  it('reads ahead from a chunk border on, wherever its reader began', () => {
    const plan = new ReadPlan({ size: 100 * mib, slots: 2, slotBytes: 4 * mib, grainBytes: 4096 });
    expect(plan.read({ callId: 1, offset: 9000, length: 100, generation: 1 })).toEqual([
      { kind: 'fill', slot: 0, offset: 8192, length: 4096 },
    ]);
    expect(plan.filled(0, 4096)[0]).toMatchObject({ kind: 'data', slotOffset: 808, offset: 9000, length: 3288 });
    plan.slotDone(0, 1);
    expect(plan.read({ callId: 2, offset: 12288, length: 1, generation: 1 })).toEqual([
      { kind: 'grow' },
      { kind: 'fill', slot: 0, offset: 12288, length: 4 * mib - 12288 },
      { kind: 'fill', slot: 1, offset: 4 * mib, length: 4 * mib },
    ]);
  });

  it('does not take the rest of one big request for a second one', () => {
    const plan = new ReadPlan({ size: 100 * mib, slots: 1, slotBytes: 4 * mib });
    plan.read({ callId: 1, offset: 0, length: 64 * mib, generation: 1 });
    plan.filled(0, 4 * mib);
    plan.slotDone(0, 1);
    plan.read({ callId: 2, offset: 4 * mib, length: 60 * mib, generation: 1 });
    expect(plan.sequential).toBe(false);
  });

  it('answers a READ behind the end with nothing', () => {
    const plan = new ReadPlan({ size: 1000, slots: 1, slotBytes: 4 * mib });
    for (const offset of [1000, 2 ** 50]) {
      expect(plan.read({ callId: 9, offset, length: 1, generation: 1 })).toEqual([
        { kind: 'reply', callId: 9, status: 0, errno: 0, text: '', offset: 1000 },
      ]);
    }
  });

  it('answers a READ at once that crossed the DATA it asks for', () => {
    const plan = new ReadPlan({ size: 3 * mib, slots: 3, slotBytes: mib });
    plan.read({ callId: 1, offset: 0, length: mib, generation: 1 });
    plan.filled(0, mib);
    plan.read({ callId: 2, offset: mib, length: mib, generation: 1 });
    plan.filled(1, mib);
    plan.filled(2, mib);
    expect(plan.position).toBe(3 * mib);
    expect(plan.read({ callId: 3, offset: 2 * mib, length: mib, generation: 1 })).toEqual([
      { kind: 'reply', callId: 3, status: 0, errno: 0, text: '', offset: 2 * mib },
    ]);
  });

  it.each([
    ['a READ while one waits', { callId: 2, offset: 0, length: 1, generation: 5 }, 'before the reply'],
    ['an old generation', { callId: 2, offset: 0, length: 1, generation: 4 }, 'goes back to generation 4'],
    ['an offset in front of the stream', { callId: 2, offset: 0, length: 1, generation: 5 }, 'leaves the stream'],
    ['an offset behind the stream', { callId: 2, offset: 2 * mib + 1, length: 1, generation: 5 }, 'leaves the stream'],
    ['no bytes', { callId: 2, offset: mib, length: 0, generation: 5 }, 'READ of 0 bytes'],
    ['no number', { callId: 2, offset: Number.NaN, length: 1, generation: 5 }, 'READ of 1 bytes at NaN'],
  ])('refuses %s', (name, call, text) => {
    const plan = new ReadPlan({ size: 3 * mib, slots: 1, slotBytes: mib });
    plan.read({ callId: 1, offset: mib, length: 1, generation: 5 });
    if (name !== 'a READ while one waits') plan.filled(0, mib);
    const [action, ...more] = plan.read(call);
    expect(more).toEqual([]);
    expect(action?.kind === 'refuse' && action.text).toContain(text);
  });

  it('refuses a SLOT_DONE of a slot that the client does not hold', () => {
    const plan = new ReadPlan({ size: 3 * mib, slots: 2, slotBytes: mib });
    plan.read({ callId: 1, offset: 0, length: 1, generation: 1 });
    for (const slot of [0, 1, 2, -1, 0.5]) expect(plan.slotDone(slot, 1)[0]?.kind).toBe('refuse');
    expect(plan.slotDone(0, 2)[0]?.kind).toBe('refuse');
    expect(plan.slotDone(0, 0)).toEqual([]);
  });

  it('starts nothing once its next arena is on its way', () => {
    const plan = new ReadPlan({ size: 100 * mib, slots: 1, slotBytes: 4 * mib });
    plan.hold(true);
    plan.freeze();
    expect(plan.read({ callId: 1, offset: 0, length: 1, generation: 1 })).toEqual([]);
    expect(plan.replace(2, 8 * mib)).toEqual([{ kind: 'fill', slot: 0, offset: 0, length: mib }]);
    expect(() => plan.freeze()).toThrow('all its slots are free');
  });
});
