/** As much XML as S3 needs: a writer, and a reader for the two bodies that clients send. No attributes but xmlns. */
import { S3Error } from './error.ts';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' };

function escapeXml(text: string): string {
  return text.replace(/[&<>"\r]/g, (char) => escapes[char]!);
}

/** `content` is text, escaped here, unless `isXml` says that it is elements already. */
export function element(name: string, content: string | number | boolean, isXml = false): string {
  return `<${name}>${isXml ? content : escapeXml(String(content))}</${name}>`;
}

export function xmlDocument(root: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}`;
}

/** The root element of an answer, with S3's name space. */
export function answerXml(root: string, content: string): string {
  return xmlDocument(`<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`);
}

export interface XmlNode {
  name: string;
  text: string;
  children: XmlNode[];
}

const depthMax = 8;

/** Reads one document; anything beyond elements and text is refused. Throws MalformedXML. */
export function parseXml(text: string): XmlNode {
  const top: XmlNode = { name: '', text: '', children: [] };
  const open = [top];
  const token = /<\?[^>]*\?>|<(\/?)([A-Za-z][\w.:-]*)(?:\s+[\w:]+="[^"]*")*\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    at = token.lastIndex;
    const node = open.at(-1)!;
    const [, isEnd, name, isEmpty, chars] = match;
    if (chars !== undefined) {
      node.text += unescapeXml(chars);
    } else if (isEnd) {
      if (open.length === 1 || node.name !== name) throw malformed();
      open.pop();
    } else if (name !== undefined) {
      const child: XmlNode = { name, text: '', children: [] };
      node.children.push(child);
      if (!isEmpty) open.push(child);
      if (open.length > depthMax) throw malformed();
    }
  }
  if (at !== text.length || open.length !== 1 || top.children.length !== 1 || top.text.trim() !== '') throw malformed();
  return top.children[0]!;
}

/** Text of the only child of that name; null where there is none. */
export function childText(node: XmlNode, name: string): string | null {
  const found = node.children.filter((child) => child.name === name);
  if (found.length > 1) throw malformed();
  return found[0]?.text ?? null;
}

export function malformed(): S3Error {
  return new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate.');
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));|&/g, (_, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[name as string];
    if (named === undefined) throw malformed();
    return named;
  });
}
