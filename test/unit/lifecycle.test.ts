import { describe, expect, test } from 'vitest';
import { status } from '../../engine/core/errors.ts';
import {
  type ImageCall,
  type ImageState,
  imageCalls,
  imageStates,
  moves,
  refusalStatus,
} from '../../engine/image/lifecycle.ts';

function next(state: ImageState, call: ImageCall): ImageState | null {
  const move = moves[state][call];
  return 'to' in move ? move.to : null;
}
const allowed = (call: ImageCall) => imageStates.filter((state) => next(state, call) !== null);

describe('the life of an image', () => {
  test('every state says something to every call, and a refusal says why', () => {
    for (const state of imageStates) {
      expect(Object.keys(moves[state])).toEqual([...imageCalls]);
      for (const call of imageCalls) {
        const move = moves[state][call];
        if ('refused' in move) {
          expect(move.text).not.toBe('');
          expect(refusalStatus(move.refused)).toBe(status[move.refused]);
        }
      }
    }
  });

  test('a complete image never changes but by delete', () => {
    for (const call of imageCalls)
      expect(['complete', null]).toContain(call === 'delete' ? null : next('complete', call));
    expect(next('complete', 'delete')).toBe('absent');
  });

  test('only a close with the flag completes, and only from the writer', () => {
    for (const state of imageStates) {
      for (const call of imageCalls) {
        if (state !== 'complete' && next(state, call) === 'complete')
          expect([state, call]).toEqual(['busy', 'closeComplete']);
      }
    }
  });

  test('only absent images are created, only complete ones are read', () => {
    expect(allowed('create')).toEqual(['absent']);
    expect(allowed('copyTo')).toEqual(['absent']);
    expect(allowed('openRead')).toEqual(['complete']);
    expect(allowed('copyFrom')).toEqual(['complete']);
    expect(allowed('openWrite')).toEqual(['pending']);
    for (const call of ['write', 'flush', 'writeMeta', 'closeComplete', 'closeIncomplete'] as const) {
      expect(allowed(call)).toEqual(['busy']);
    }
  });

  test('whatever is there and not held can be deleted; who vanishes leaves no image busy', () => {
    expect(allowed('delete')).toEqual(['pending', 'complete', 'damaged']);
    for (const state of imageStates) expect(next(state, 'writerGone')).not.toBe('busy');
    for (const state of imageStates) expect(next(state, 'resumeOther')).toBeNull();
  });
});
