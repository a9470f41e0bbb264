/** A name may stand for several nodes of one cluster, and one answer may list them all: connections go to each in turn. */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

const turns = new Map<string, number>();
const namesMax = 256;

function nextTurn(name: string): number {
  const turn = turns.get(name) ?? 0;
  if (turns.size >= namesMax) turns.clear();
  turns.set(name, turn + 1);
  return turn;
}

/** As dns.lookup for one address; every call asks again, since addresses move between nodes. */
export const rotatingLookup: LookupFunction = (name, options, done) => {
  const { family, hints } = options;
  lookup(name, { family, hints, all: true }, (error, addresses) => {
    if (error) {
      done(error, '', 0);
      return;
    }
    const { address, family: kind } = addresses[nextTurn(name) % addresses.length] as LookupAddress;
    done(null, address, kind);
  });
};
