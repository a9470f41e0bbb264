/**
 * The grammar of vast-ost.conf: bytes in, sections with line numbers out. test/vectors/ini/README.md states it; the
 * plug-in's native/plugin/ini.c has the same, and both pass the vectors there. That one stops at the first wrong line,
 * this one goes on and tells them all.
 */
export const iniLineBytesMax = 4096;
export const iniFileBytesMax = 65_536;
export const iniKeysMax = 1024;

export interface IniEntry {
  readonly key: string;
  /** Byte string, trimmed; may be empty. */
  readonly value: string;
  /** From 1. */
  readonly line: number;
}
export interface IniSection {
  readonly name: string;
  /** Of its first header; a section may be opened again and goes on. */
  readonly line: number;
  readonly entries: readonly IniEntry[];
}
export interface IniProblem {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly remedy: string;
}
export interface IniFile {
  readonly sections: readonly IniSection[];
  /** In the order of their lines. What could be read stands in `sections` all the same. */
  readonly problems: readonly IniProblem[];
}

const keyForm = /^[A-Za-z0-9_.-]+$/;
/** A colon parts kind and name: [server:NAME]. */
const sectionForm = /^[A-Za-z0-9_.:-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlForm = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const byteOrderMark = '\xef\xbb\xbf';

/** `bytes`: the file as a byte string (latin1). Never throws: everything that is wrong is told in `problems`. */
export function parseIni(bytes: string): IniFile {
  const sections: { name: string; line: number; entries: IniEntry[] }[] = [];
  const problems: IniProblem[] = [];
  if (bytes.length > iniFileBytesMax) {
    const problem = {
      line: 1,
      text: `the file is longer than ${iniFileBytesMax} bytes`,
      remedy: 'is it the right one?',
    };
    return { sections, problems: [problem] };
  }
  const lines = (bytes.startsWith(byteOrderMark) ? bytes.slice(byteOrderMark.length) : bytes).split('\n');
  let section: { name: string; line: number; entries: IniEntry[] } | undefined;
  /** The header was wrong: its keys have no home, which is told once, there. */
  let homeless = false;
  let keys = 0;
  for (const [index, whole] of lines.entries()) {
    const line = index + 1;
    const refuse = (text: string, remedy: string) => problems.push({ line, text, remedy });
    const ended = index < lines.length - 1 && whole.endsWith('\r') ? whole.slice(0, -1) : whole;
    if (ended.length > iniLineBytesMax) {
      refuse(`the line is longer than ${iniLineBytesMax} bytes`, 'shorten it');
      continue;
    }
    if (controlForm.test(ended)) {
      refuse('the line holds a control character', 'save the file as plain text');
      continue;
    }
    const text = trimBlanks(ended);
    if (text === '' || text.startsWith('#') || text.startsWith(';')) continue;
    if (text.startsWith('[')) {
      const name = text.endsWith(']') ? trimBlanks(text.slice(1, -1)) : '';
      homeless = !sectionForm.test(name);
      section = homeless ? undefined : sections.find((known) => known.name === name);
      if (homeless) refuse(`${clip(text)} is no section`, 'write [name], and nothing behind it');
      else if (!section) {
        section = { name, line, entries: [] };
        sections.push(section);
      }
      continue;
    }
    const equals = text.indexOf('=');
    const key = equals < 0 ? '' : trimBlanks(text.slice(0, equals));
    const earlier = section?.entries.find((known) => known.key === key);
    if (!keyForm.test(key)) {
      refuse(`${clip(text)} is neither key = value nor a section`, 'a comment begins with # or ;');
    } else if (!section) {
      if (!homeless) refuse(`${key} stands before the first section`, 'put a line like [general] above it');
    } else if (earlier) {
      refuse(`${key} is given twice, first in line ${earlier.line}`, 'remove one of them');
    } else if (++keys > iniKeysMax) {
      refuse(`more than ${iniKeysMax} keys`, 'is it the right file?');
      break;
    } else {
      section.entries.push({ key, value: trimBlanks(text.slice(equals + 1)), line });
    }
  }
  return { sections, problems };
}

/** Space and tab only: String.trim takes more. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
