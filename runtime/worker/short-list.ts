// Lists that mostly have one item: what a run has to say, what it is shown. One that grows by pushing has room for many from
// the first item on.

/** The list with `item` at its end: the very list, or a new one of one item in the place of an empty one. */
export function withOneMore<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}
