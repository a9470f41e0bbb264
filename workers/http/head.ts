/** What stands in front of an answer's body. */
export interface Head {
  status: number;
  reason: string;
  /** Names in lower case; of several equal ones, joined by ', '. */
  headers: Record<string, string>;
}
