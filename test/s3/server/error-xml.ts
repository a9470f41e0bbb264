/** The body of a refusal. */
import { element, xmlDocument } from './xml.ts';

export function errorXml(
  code: string,
  message: string,
  resource: string,
  requestId: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const details = Object.entries(more).map(([name, text]) => element(name, text));
  return xmlDocument(
    element(
      'Error',
      element('Code', code) +
        element('Message', message) +
        details.join('') +
        element('Resource', resource) +
        element('RequestId', requestId),
      true,
    ),
  );
}
