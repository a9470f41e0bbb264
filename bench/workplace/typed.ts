/** How a user starts the bench here: in a checkout, or with a package. */
export function typed(args: string): string {
  return `${process.env.VAST_OST_PACKAGE === undefined ? 'npm run bench --' : 'vast-ost bench'} ${args}`;
}

/** An argument as a shell wants it. */
export function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
