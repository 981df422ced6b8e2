// Lists that mostly have one item: what a run has to say, what it is shown. One that grows by pushing has room for many from
// the first item on.

const NONE: never[] = [];
Object.freeze(NONE);

/** A list that has nothing in it, the same one for all. It grows by `withOneMore`. */
export function none<T>(): T[] {
  return NONE;
}

/** The list with `item` at its end: the very list, or a new one of one item in the place of an empty one. */
export function withOneMore<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}
