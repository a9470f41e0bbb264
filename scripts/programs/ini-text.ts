/** Text of a vast-ost.conf from keys by section. */

export type Sections = Readonly<Record<string, Readonly<Record<string, string | number | boolean | null>>>>;

/** Later ones win, key by key. */
export function merged(...sources: readonly Sections[]): Sections {
  const all: Record<string, Sections[string]> = {};
  for (const source of sources) {
    for (const [section, keys] of Object.entries(source)) all[section] = { ...all[section], ...keys };
  }
  return all;
}

/** Keys that are null are left out. */
export function iniText(sections: Sections): string {
  const texts = Object.entries(sections).map(([section, keys]) => {
    const lines = Object.entries(keys).filter(([, value]) => value !== null);
    return `[${section}]\n${lines.map(([key, value]) => `${key} = ${value}`).join('\n')}`;
  });
  return `${texts.join('\n\n')}\n`;
}
