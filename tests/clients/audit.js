// The audits of graphql-http, MUST, SHOULD and MAY; prints the ids of those that do not pass. They know nothing yet of
// the draft's statuses.
import process from "node:process";
import { auditServer } from "graphql-http";

const [, , url] = process.argv;
const results = await auditServer({ url, fetchFn: fetch });
const others = results.filter(({ status }) => status !== "ok");
for (const { id, name, status, reason } of others) console.error(`${status} ${id} ${name}: ${reason}`);
console.error(`${results.length - others.length} of ${results.length} audits`);
console.log(others.filter(({ status }) => status !== "notice").map(({ id }) => id).sort().join(" "));
process.exit(results.length === 61 ? 0 : 1);
