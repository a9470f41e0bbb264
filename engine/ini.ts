/**
 * The INI text of vast-ost.conf, parsed with line numbers. The plug-in has the same parser in C; both pass the vectors in
 * test/vectors/ini.
 *
 *   file     = lines, each ended by LF or CRLF, the last one perhaps by nothing; a UTF-8 byte order mark may come first
 *   line     = blank | comment | "[" name "]" | key "=" value      blanks (space, tab) around each part do not count
 *   comment  = "#" or ";" as the first character that is no blank  (a value reaches to the end of its line: paths may
 *              hold "#")
 *   name,key = 1 … 64 of a-z A-Z 0-9 _ - .
 *   value    = anything but control characters; may be empty
 *
 * Refused: a key before the first section, a section or a key of a section given twice, control characters, a line over
 * 4,096 bytes, a file over 65,536 bytes.
 */
export const iniLineBytesMax = 4096;
export const iniFileBytesMax = 65_536;

export interface IniEntry {
  readonly key: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}
export interface IniSection {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly IniEntry[];
}
export interface IniProblem {
  /** From 1; 0 = the file as a whole. */
  readonly line: number;
  readonly text: string;
  readonly remedy: string;
}
export interface IniFile {
  readonly sections: readonly IniSection[];
  /** In the order of their lines. Whatever could be read stands in `sections` all the same. */
  readonly problems: readonly IniProblem[];
}

const nameForm = /^[A-Za-z0-9_.-]{1,64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlForm = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** Never throws: everything that is wrong is told in `problems`. */
export function parseIni(text: string): IniFile {
  if (Buffer.byteLength(text) > iniFileBytesMax) {
    const problem = { line: 0, text: `longer than ${iniFileBytesMax} bytes`, remedy: 'is this the right file?' };
    return { sections: [], problems: [problem] };
  }
  const sections: { name: string; line: number; entries: IniEntry[] }[] = [];
  const problems: IniProblem[] = [];
  const lines = text.replace(/^\ufeff/, '').split('\n');
  let section: { name: string; line: number; entries: IniEntry[] } | undefined;
  /** The section line was wrong: its keys have no home, and that is told once. */
  let lost = false;
  for (const [index, whole] of lines.entries()) {
    const line = index + 1;
    const refuse = (what: string, remedy: string) => problems.push({ line, text: what, remedy });
    const unended = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
    if (Buffer.byteLength(unended) > iniLineBytesMax) {
      refuse(`longer than ${iniLineBytesMax} bytes`, 'shorten it');
      continue;
    }
    if (controlForm.test(unended)) {
      refuse('holds a control character', 'save the file as plain text');
      continue;
    }
    const trimmed = trimBlanks(unended);
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    if (trimmed.startsWith('[')) {
      const name = trimmed.endsWith(']') ? trimBlanks(trimmed.slice(1, -1)) : '';
      const earlier = sections.find((known) => known.name === name);
      section = undefined;
      lost = true;
      if (!nameForm.test(name)) refuse(`"${clip(trimmed)}" is no section`, 'write [name]');
      else if (earlier) refuse(`[${name}] was begun in line ${earlier.line} already`, 'put its keys there');
      else {
        section = { name, line, entries: [] };
        sections.push(section);
        lost = false;
      }
      continue;
    }
    const equals = trimmed.indexOf('=');
    const key = equals < 0 ? '' : trimBlanks(trimmed.slice(0, equals));
    if (!nameForm.test(key)) {
      refuse(`"${clip(trimmed)}" is neither a section, a key nor a comment`, 'write key = value, or begin with #');
      continue;
    }
    if (!section) {
      if (!lost) refuse(`${key} stands before the first section`, 'put a line like [general] above it');
      continue;
    }
    const earlier = section.entries.find((known) => known.key === key);
    if (earlier) refuse(`${key} was given in line ${earlier.line} already`, 'remove one of them');
    else section.entries.push({ key, value: trimBlanks(trimmed.slice(equals + 1)), line });
  }
  return { sections, problems };
}

/** Only space and tab: String.trim would also take what the C parser takes for a part of the value. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
