/** The other programs that the bench can measure beside the engine, by store, and by the names that `--peers` takes. */

/** A name stands for all ways in which its program is measured: `rclone` for the one without its hashes too. */
export const peersOf = {
  file: ['fio', 'dd', 'rclone', 'restic'],
  s3: ['rclone', 's5cmd', 'mc', 'aws-cli', 'lib-storage'],
} as const;
export type PeerName = (typeof peersOf)[keyof typeof peersOf][number];

export const peerNames: readonly PeerName[] = [...new Set([...peersOf.file, ...peersOf.s3])];
