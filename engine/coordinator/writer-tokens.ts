/**
 * The writer tokens of all connections, and the storage server each writes on. Two storage servers may show the same
 * data, a mount and a bucket: a claim that looks like a leftover of ours on one may be held by a live writer on the other.
 */
export class WriterTokens {
  readonly #held = new Map<number, { token: string; server: number }>();

  /** Before the claim is made, so that it never stands there unknown. One a connection. */
  hold(link: number, token: string, server: number): void {
    this.#held.set(link, { token, server });
  }

  /** Nothing of the connection writes any more. */
  release(link: number): void {
    this.#held.delete(link);
  }

  /** A connection to another storage server of this engine has it. */
  heldElsewhere(token: string | undefined, server: number): boolean {
    for (const held of this.#held.values()) if (held.token === token && held.server !== server) return true;
    return false;
  }
}
