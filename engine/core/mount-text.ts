/** A mount point as a claim names it: the configuration takes no longer one where claims are to name it. */

/** As it stands in JSON. */
export const mountBytesMax = 512;

/** JSON in ASCII. Null: too long. */
export function mountText(path: string): string | null {
  const text = JSON.stringify(path).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return text.length <= mountBytesMax ? text : null;
}
