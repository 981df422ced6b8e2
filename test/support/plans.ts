// What a plan may not do, whatever statistics it was made with: read a table other than by the first column of an index, and
// hold each row of one set against each of another.

/** As EXPLAIN (FORMAT JSON) tells it. */
export interface Plan {
  readonly "Node Type": string;
  readonly "Parent Relationship"?: string;
  readonly "Subplan Name"?: string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly "CTE Name"?: string;
  readonly Strategy?: string;
  readonly Plans?: readonly Plan[];
}

export interface Index {
  /** A column, or an expression, as Postgres writes it. */
  readonly leading: string;
  /** On this column alone. */
  readonly isUnique: boolean;
}

export type Indexes = ReadonlyMap<string, Index>;

/** Each scan of a table that no value of the index's first column leads. */
export function scansOfWholeTables(plan: Plan, indexes: Indexes): string[] {
  return nodesOf(plan).flatMap((node) => {
    const { "Node Type": type, "Index Name": name, "Index Cond": condition } = node;
    if (type === "Seq Scan") return [`${node["Relation Name"]} (Seq Scan)`];
    if (!/^(Index Scan|Index Only Scan|Bitmap Index Scan)$/.test(type) || name === undefined) return [];
    const { leading } = indexOf(name, indexes);
    if (condition !== undefined && plainly(condition).includes(`${plainly(leading).replace(/^\((.*)\)$/, "$1")} = `))
      return [];
    return [`${name} (${type}${condition === undefined ? "" : `, ${condition}`})`];
  });
}

/** Each limit that is put to rows after all of them were read and sorted: an index has them in order. */
export function sortsBeforeLimits(plan: Plan): string[] {
  return nodesOf(plan)
    .filter((node) => node["Node Type"] === "Limit")
    .flatMap((limit) => sortsOfTables(limit).map((relation) => `${relation} sorted before a limit`));
}

function sortsOfTables(node: Plan): string[] {
  return inputsOf(node).flatMap((input) => {
    if (input["Node Type"] === "Limit") return [];
    if (/Sort$/.test(input["Node Type"])) return relationsOf(input);
    return sortsOfTables(input);
  });
}

/** Those that are read without a limit of their own. */
function relationsOf(node: Plan): string[] {
  if (node["Node Type"] === "Limit") return [];
  const own = node["Relation Name"];
  return [...(own === undefined ? [] : [own]), ...inputsOf(node).flatMap(relationsOf)];
}

/** Each place where the work is the product of two numbers of rows. */
export function productsOfSets(plan: Plan, indexes: Indexes): string[] {
  const nodes = nodesOf(plan);
  const ctes = new Map(
    nodes.flatMap((node): [string, Plan][] => {
      const name = node["Subplan Name"]?.match(/^CTE (.*)$/)?.[1];
      return name === undefined ? [] : [[name, node]];
    }),
  );
  return nodes.flatMap((node) => [...loops(node), ...correlated(node)]);

  function loops(node: Plan): string[] {
    const [outer, inner] = inputsOf(node);
    if (node["Node Type"] !== "Nested Loop" || outer === undefined || inner === undefined) return [];
    if (isOneRow(outer) || isOneRow(inner)) return [];
    return leavesOf(inner)
      .filter(isWhole)
      .map((leaf) => `a loop over ${titleOf(leaf)} for each row`);
  }

  function correlated(node: Plan): string[] {
    return (node.Plans ?? []).flatMap((child) => {
      const name = child["Subplan Name"] ?? "";
      if (child["Parent Relationship"] !== "SubPlan" || /^CTE /.test(name)) return [];
      if (JSON.stringify({ ...node, Plans: [] }).includes(`hashed ${name}`)) return [];
      return leavesOf(child)
        .filter(isWhole)
        .map((leaf) => `a subquery over ${titleOf(leaf)} for each row`);
    });
  }

  /** Read from its beginning to its end each time, and longer than a row. */
  function isWhole(leaf: Plan): boolean {
    if (/^(Result|Values Scan)$/.test(leaf["Node Type"])) return false;
    return !isOneRow(leaf) && !/[\w"]\.\w/.test(leaf["Index Cond"] ?? "");
  }

  function isOneRow(node: Plan): boolean {
    const { "Node Type": type, "Index Name": name, "Index Cond": condition = "", "CTE Name": cte } = node;
    if (type === "Function Scan" || type === "WorkTable Scan" || type === "Append") return false;
    if (cte !== undefined) return ctes.has(cte) && isOneRow(ctes.get(cte) as Plan);
    if (type === "Aggregate" && node.Strategy === "Plain") return true;
    if (name !== undefined) return indexOf(name, indexes).isUnique && / = /.test(condition) && !/ANY/.test(condition);
    const inputs = inputsOf(node);
    return inputs.length === 0 ? type === "Result" : inputs.every(isOneRow);
  }
}

function indexOf(name: string, indexes: Indexes): Index {
  const index = indexes.get(name);
  if (index === undefined) throw new Error(`Nothing is known of the index ${name}.`);
  return index;
}

function titleOf(leaf: Plan): string {
  return leaf["CTE Name"] ?? leaf["Relation Name"] ?? leaf["Index Name"] ?? leaf["Node Type"];
}

/** `((m.run_id)::text = v.id)` as `run_id::text = id`: the index's column is always the first. */
function plainly(condition: string): string {
  return condition.replace(/\b[a-z_]\w*\.(?=\w)/g, "").replace(/\((\w+)\)::/g, "$1::");
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

function inputsOf(plan: Plan): readonly Plan[] {
  return (plan.Plans ?? []).filter((child) => !/^(InitPlan|SubPlan)$/.test(child["Parent Relationship"] ?? ""));
}

function leavesOf(plan: Plan): Plan[] {
  const inputs = inputsOf(plan);
  // The scan of a bitmap's pages is led by the scan below it.
  return inputs.length === 0 ? [plan] : inputs.flatMap(leavesOf);
}
